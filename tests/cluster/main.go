// controlplane is a Kubernetes control plane for tests in one process: etcd, kube-apiserver and, where asked,
// kube-controller-manager, kube-scheduler and a kubelet that only pretends.
//
// It listens on 127.0.0.1 only and writes nothing outside --data. On standard output it prints one JSON line per stage
// it has reached; the last one has "stage":"ready" and says where the server and the kubeconfig are.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
)

var started = time.Now()

// settings are the command line.
type settings struct {
	data      string
	port      int
	manager   bool
	scheduler bool
	kubelet   bool
	lifeline  bool
	discard   bool
	users     repeated
	apiFlags  repeated
}

// repeated is a flag that may be given more than once.
type repeated []string

func (r *repeated) String() string         { return strings.Join(*r, " ") }
func (r *repeated) Set(value string) error { *r = append(*r, value); return nil }

func readSettings() settings {
	var s settings
	flag.StringVar(&s.data, "data", "", "directory for everything that is written (required)")
	flag.IntVar(&s.port, "port", 0, "port of the API server; 0 takes a free one; the same one after a restart keeps the kubeconfig valid")
	flag.BoolVar(&s.manager, "controllers", false, "run kube-controller-manager")
	flag.BoolVar(&s.scheduler, "scheduler", false, "run kube-scheduler")
	flag.BoolVar(&s.kubelet, "kubelet", false, "run one node whose pods become ready without running anything, and give claims volumes and load balancers addresses")
	flag.BoolVar(&s.lifeline, "lifeline", false, "end when standard input ends, so that a killed test run leaves nothing behind")
	flag.BoolVar(&s.discard, "discard", false, "remove the --data directory at the end")
	flag.Var(&s.users, "user", "token,name,uid[,\"group,group\"] of one more user (repeatable)")
	flag.Var(&s.apiFlags, "apiserver-flag", "one more kube-apiserver flag (repeatable)")
	flag.Parse()
	if s.data == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	return s
}

func main() {
	s := readSettings()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if s.lifeline {
		ctx = untilInputEnds(ctx)
	}
	err := run(ctx, s)
	if s.discard {
		os.RemoveAll(s.data)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

// untilInputEnds gives a context that ends with standard input. Its end is closed at once, so that whoever opens the
// same pipe afterwards sees that nobody reads it any more.
func untilInputEnds(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Stdin.Close()
		cancel()
	}()
	return ctx
}

// run starts the parts one after another, and ends with the first of them that ends, or with the context.
//
// Nothing is closed in order at the end (that was measured to take up to 8 s): what was acknowledged is in etcd's log
// file, and the kernel keeps that.
func run(ctx context.Context, s settings) error {
	file := func(name string) string { return filepath.Join(s.data, name) }
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return err
	}
	// Each component would set the logging of the one process up again.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return err
	}
	server := "https://" + listener.Addr().String()
	token, err := writeCredentials(file, server, s.users)
	if err != nil {
		return err
	}
	ended := make(chan error, 8) // one place per part: nobody waits to tell its end
	endpoint, err := startEtcd(file("etcd"), ended)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	say("etcd", nil)

	// Clients name the program as the field manager of what they write. Each part gets the name that it has in a real
	// cluster, as long as its clients are made before the next name is set.
	os.Args[0] = "kube-apiserver"
	startAPIServer(ctx, listener, endpoint, file, s.apiFlags, ended)
	api := newProbe(server, token, file("ca.crt"))
	if err := waitFor(ctx, ended, api.answers("/readyz")); err != nil {
		return err
	}
	say("kube-apiserver", nil)
	if s.scheduler {
		os.Args[0] = "kube-scheduler"
		if err := startScheduler(ctx, file("kubeconfig"), ended); err != nil {
			return fmt.Errorf("kube-scheduler: %w", err)
		}
		say("kube-scheduler", nil)
	}
	if s.kubelet {
		os.Args[0] = "kubelet"
		if err := startKubelet(ctx, file("kubeconfig"), ended); err != nil {
			return fmt.Errorf("kubelet: %w", err)
		}
		say("kubelet", nil)
	}
	if s.manager {
		os.Args[0] = "kube-controller-manager"
		startControllerManager(ctx, file, ended)
		// Pods are refused until their namespace has its service account.
		if err := waitFor(ctx, ended, api.answers("/api/v1/namespaces/default/serviceaccounts/default")); err != nil {
			return err
		}
		say("kube-controller-manager", nil)
	}
	say("ready", map[string]any{
		"server": server, "kubeconfig": file("kubeconfig"), "ca": file("ca.crt"), "token": token, "pid": os.Getpid(),
	})
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

func say(stage string, more map[string]any) {
	line := map[string]any{"stage": stage, "seconds": float64(time.Since(started).Milliseconds()) / 1000}
	for key, value := range more {
		line[key] = value
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

// waitFor asks again and again until it is reached, a part has ended, or nobody wants to know any more.
func waitFor(ctx context.Context, ended <-chan error, isReached func() bool) error {
	for !isReached() {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
