// floor applies objects as fast as the API server takes them: what no controller can be faster than.
//
// It does nothing else: no rendering, no reading, no watching. Objects come ready on standard input, one per line: the
// path of the object, a tab, its JSON. Server-side apply with force, HTTP/1.1 over TLS, one kept-alive connection per
// worker. One JSON line on standard output says how long it took from the first request to the last answer.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type object struct{ path, body string }

func main() {
	server := flag.String("server", "", "https://host:port")
	ca := flag.String("ca", "", "file of the authority that signed the server's certificate")
	workers := flag.Int("workers", 32, "requests in flight")
	flag.Parse()
	client, err := newClient(*ca, *workers)
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
	objects := read(os.Stdin)
	// The token is no argument: others may read those.
	apply := applier(client, *server, os.Getenv("FLOOR_TOKEN"))
	var next, failed atomic.Int64
	var group sync.WaitGroup
	start, cpu := time.Now(), used()
	for range *workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := next.Add(1) - 1; i < int64(len(objects)); i = next.Add(1) - 1 {
				if err := apply(objects[i]); err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, "floor:", err)
				}
			}
		}()
	}
	group.Wait()
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"seconds": time.Since(start).Seconds(), "cpu_seconds": used() - cpu, "failed": failed.Load(),
	})
}

func newClient(ca string, workers int) (*http.Client, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool},
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1
		MaxIdleConnsPerHost: workers,
	}}, nil
}

func read(input io.Reader) []object {
	var objects []object
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		path, body, _ := strings.Cut(lines.Text(), "\t")
		objects = append(objects, object{path, body})
	}
	return objects
}

func applier(client *http.Client, server, token string) func(object) error {
	return func(one object) error {
		url := server + one.path + "?fieldManager=floor&force=true"
		request, err := http.NewRequest(http.MethodPatch, url, strings.NewReader(one.body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode >= 300 {
			err = fmt.Errorf("%s: %d: %.300s", one.path, answer.StatusCode, text)
		}
		return err
	}
}

func used() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
