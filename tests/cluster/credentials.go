package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

// writeCredentials writes certificates, tokens and the kubeconfig, and gives the administrator's token. What is there
// already is kept, so that a restart on the same data changes nothing for its clients.
func writeCredentials(file func(string) string, server string, users []string) (token string, err error) {
	if err := writeCertificates(file); err != nil {
		return "", err
	}
	token, err = adminToken(file("admin-token"))
	if err != nil {
		return "", err
	}
	lines := append([]string{token + `,admin,admin,"system:masters"`}, users...)
	if err := os.WriteFile(file("tokens.csv"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return "", err
	}
	return token, writeKubeconfig(file, server, token)
}

func adminToken(path string) (string, error) {
	known, err := os.ReadFile(path)
	if err == nil {
		return string(known), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	random := make([]byte, 16)
	rand.Read(random)
	token := hex.EncodeToString(random)
	return token, os.WriteFile(path, []byte(token), 0o600)
}

// writeKubeconfig writes JSON, which every reader of a kubeconfig takes for YAML.
func writeKubeconfig(file func(string) string, server, token string) error {
	ca, err := os.ReadFile(file("ca.crt"))
	if err != nil {
		return err
	}
	type fields = map[string]any
	text, err := json.MarshalIndent(fields{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []fields{{"name": "test", "cluster": fields{"server": server, "certificate-authority-data": ca}}},
		"users":    []fields{{"name": "admin", "user": fields{"token": token}}},
		"contexts": []fields{{"name": "test", "context": fields{"cluster": "test", "user": "admin"}}},
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file("kubeconfig"), text, 0o600)
}

// writeCertificates makes an authority, a server certificate signed by it, and the key that signs service account tokens.
func writeCertificates(file func(string) string) error {
	if _, err := os.Stat(file("sa.key")); err == nil { // written last: it says that the set is complete
		return nil
	}
	keys := map[string]*ecdsa.PrivateKey{}
	for _, name := range []string{"ca", "server", "sa"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		keys[name] = key
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test-ca"},
		NotBefore: started.Add(-time.Hour), NotAfter: started.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
	}
	for _, one := range []struct {
		name     string
		template *x509.Certificate
	}{{"ca", authority}, {"server", server}} {
		der, err := x509.CreateCertificate(rand.Reader, one.template, authority, keys[one.name].Public(), keys["ca"])
		if err != nil {
			return err
		}
		if err := writePEM(file(one.name+".crt"), "CERTIFICATE", der); err != nil {
			return err
		}
	}
	for _, name := range []string{"server", "sa"} {
		der, err := x509.MarshalECPrivateKey(keys[name])
		if err != nil {
			return err
		}
		if err := writePEM(file(name+".key"), "EC PRIVATE KEY", der); err != nil {
			return err
		}
	}
	return nil
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
