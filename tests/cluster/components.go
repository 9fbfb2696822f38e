package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controlleroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

// The components are started from their options, not from their cobra commands: each command installs the process's
// signal handler, and the second one to do so panics.

// clientFlags are those of every component that talks to the API server.
func clientFlags(kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}
}

// ran names the component whose end is told; that it ended without an error is an error too.
func ran(component string, err error) error {
	if err == nil {
		err = errors.New("ended")
	}
	return fmt.Errorf("%s: %w", component, err)
}

func parse(sets cliflag.NamedFlagSets, arguments []string) error {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	return all.Parse(arguments)
}

func startAPIServer(
	ctx context.Context, listener net.Listener, etcd string, file func(string) string, more []string, ended chan<- error,
) {
	arguments := append([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // a loopback address is no endpoint
		"--service-cluster-ip-range=10.96.0.0/12",
		"--tls-cert-file=" + file("server.crt"),
		"--tls-private-key-file=" + file("server.key"),
		"--authorization-mode=RBAC",
		"--token-auth-file=" + file("tokens.csv"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + file("sa.key"),
		"--service-account-key-file=" + file("sa.key"),
		"--allow-privileged",
		"--shutdown-delay-duration=0s",
	}, more...)
	go func() { ended <- ran("kube-apiserver", runAPIServer(ctx, listener, arguments)) }()
}

func runAPIServer(ctx context.Context, listener net.Listener, arguments []string) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := parse(options.Flags(), arguments); err != nil {
		return err
	}
	options.SecureServing.Listener = listener
	options.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	registry := options.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return err
	}
	if err := logsapi.ValidateAndApply(options.Logs, registry.FeatureGateFor("kube")); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) > 0 {
		return errors.Join(problems...)
	}
	return apiserver.Run(ctx, completed)
}

func startScheduler(ctx context.Context, kubeconfig string, ended chan<- error) error {
	options := scheduleroptions.NewOptions()
	if err := parse(*options.Flags, clientFlags(kubeconfig)); err != nil {
		return err
	}
	config, sched, err := scheduler.Setup(ctx, options)
	if err != nil {
		return err
	}
	go func() { ended <- ran("kube-scheduler", scheduler.Run(ctx, config, sched)) }()
	return nil
}

func startControllerManager(ctx context.Context, file func(string) string, ended chan<- error) {
	arguments := append(clientFlags(file("kubeconfig")),
		"--service-account-private-key-file="+file("sa.key"),
		"--root-ca-file="+file("ca.crt"),
	)
	go func() { ended <- ran("kube-controller-manager", runControllerManager(ctx, arguments)) }()
}

func runControllerManager(ctx context.Context, arguments []string) error {
	options, err := controlleroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, off, aliases := controllers.KnownControllers(), controllers.ControllersDisabledByDefault(), controllers.ControllerAliases()
	sets := options.Flags(known, off, aliases)
	if err := parse(sets, arguments); err != nil {
		return err
	}
	options.ParsedFlags = &sets
	config, err := options.Config(ctx, known, off, aliases)
	if err != nil {
		return err
	}
	return controllers.Run(ctx, config.Complete())
}
