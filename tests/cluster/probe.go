package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"time"
)

// probe asks the API server whether it is there yet.
type probe struct {
	server, token string
	client        *http.Client
}

func newProbe(server, token, caFile string) probe {
	pool := x509.NewCertPool()
	ca, _ := os.ReadFile(caFile) // without it every answer is a refusal, which the caller's deadline ends
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return probe{server, token, &http.Client{Timeout: 2 * time.Second, Transport: transport}}
}

func (p probe) answers(path string) func() bool {
	return func() bool {
		request, err := http.NewRequest(http.MethodGet, p.server+path, nil)
		if err != nil {
			return false
		}
		request.Header.Set("Authorization", "Bearer "+p.token)
		response, err := p.client.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		io.Copy(io.Discard, response.Body)
		return response.StatusCode == http.StatusOK
	}
}
