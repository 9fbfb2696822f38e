package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// startEtcd runs a store of one member in this process and gives its client URL.
func startEtcd(directory string, ended chan<- error) (endpoint string, err error) {
	wal.SegmentSizeBytes = 4 << 20 // two files of this size are allocated at once; the default is 64 MB
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir = directory
	config.LogLevel = "error"
	config.UnsafeNoFsync = true                // the machine's crash is no test case; ours is, and needs no fsync
	config.EnableGRPCGateway = false           // it would dial port 0 for ever
	config.TickMs, config.ElectionMs = 10, 100 // a single member elects itself in 0.05 s instead of 0.8 s
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.QuotaBackendBytes = 4 << 30
	store, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	select {
	case <-store.Server.ReadyNotify():
	case err := <-store.Err():
		return "", err
	case <-time.After(30 * time.Second):
		return "", errors.New("not ready within 30 s")
	}
	go func() { ended <- fmt.Errorf("etcd: %w", <-store.Err()) }()
	return "http://" + store.Clients[0].Addr().String(), nil
}
