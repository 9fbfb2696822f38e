package main

import (
	"context"
	"encoding/json"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	nodeName     = "pretended"
	leaseSeconds = 40
	podWorkers   = 8
)

// A pretended kubelet: one node with room for everything, whose pods get the status that a real kubelet would report
// after it has run them, at once and without running anything. What status that is, podstatus.go says; the volumes and
// addresses that a cluster's surroundings would give come from provider.go.
type kubelet struct {
	client kubernetes.Interface
	pods   cache.Store
}

func startKubelet(ctx context.Context, kubeconfig string, ended chan<- error) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	k := &kubelet{client: client}
	if err := k.register(ctx); err != nil {
		return err
	}
	go func() { ended <- ran("kubelet", k.keepLease(ctx)) }()
	if err := k.watchPods(ctx); err != nil {
		return err
	}
	return startProvider(ctx, client)
}

// register makes the node, ready from the start, and its lease, which keeps it so.
func (k *kubelet) register(ctx context.Context) error {
	node := &core.Node{ObjectMeta: meta.ObjectMeta{
		Name:   nodeName,
		Labels: map[string]string{core.LabelHostname: nodeName, core.LabelOSStable: "linux", core.LabelArchStable: "amd64"},
	}}
	created, err := k.client.CoreV1().Nodes().Create(ctx, node, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		created, err = k.client.CoreV1().Nodes().Get(ctx, nodeName, meta.GetOptions{})
	}
	if err != nil {
		return err
	}
	now := meta.Now()
	created.Status.Capacity = core.ResourceList{
		core.ResourceCPU: resource.MustParse("10000"), core.ResourceMemory: resource.MustParse("100Ti"),
		core.ResourcePods: resource.MustParse("100000"), core.ResourceEphemeralStorage: resource.MustParse("100Ti"),
	}
	created.Status.Allocatable = created.Status.Capacity
	created.Status.Addresses = []core.NodeAddress{{Type: core.NodeInternalIP, Address: "127.0.0.1"}}
	created.Status.Conditions = []core.NodeCondition{{
		Type: core.NodeReady, Status: core.ConditionTrue, Reason: "KubeletReady",
		LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	if _, err := k.client.CoreV1().Nodes().UpdateStatus(ctx, created, meta.UpdateOptions{}); err != nil {
		return err
	}
	return k.renewLease(ctx)
}

func (k *kubelet) keepLease(ctx context.Context) error {
	ticker := time.NewTicker(leaseSeconds * time.Second / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			// One missed renewal does no harm: the next comes long before the lease ends.
			k.renewLease(ctx)
		}
	}
}

func (k *kubelet) renewLease(ctx context.Context) error {
	leases := k.client.CoordinationV1().Leases(core.NamespaceNodeLease)
	holder, seconds, now := nodeName, int32(leaseSeconds), meta.NowMicro()
	spec := coordination.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &now}
	lease, err := leases.Get(ctx, nodeName, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: nodeName}, Spec: spec}, meta.CreateOptions{})
		if apierrors.IsNotFound(err) {
			return nil // the namespace of the leases comes a moment after the server; the next renewal finds it
		}
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec = spec
	_, err = leases.Update(ctx, lease, meta.UpdateOptions{})
	return err
}

// watchPods treats every pod of the node whenever it moves: a few workers, each pod always by the same one.
func (k *kubelet) watchPods(ctx context.Context) error {
	onNode := func(options *meta.ListOptions) { options.FieldSelector = "spec.nodeName=" + nodeName }
	factory := informers.NewSharedInformerFactoryWithOptions(k.client, 0, informers.WithTweakListOptions(onNode))
	informer := factory.Core().V1().Pods().Informer()
	k.pods = informer.GetStore()
	var lanes [podWorkers]chan string
	for i := range lanes {
		lanes[i] = make(chan string, 4096)
		go k.treatAll(ctx, lanes[i])
	}
	put := func(object any) {
		pod, ok := object.(*core.Pod)
		if !ok {
			return
		}
		select {
		case lanes[laneOf(pod.UID)] <- pod.Namespace + "/" + pod.Name:
		case <-ctx.Done():
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    put,
		UpdateFunc: func(_, object any) { put(object) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	return nil
}

func laneOf(uid types.UID) int {
	sum := 0
	for _, b := range []byte(uid) {
		sum += int(b)
	}
	return sum % podWorkers
}

func (k *kubelet) treatAll(ctx context.Context, keys <-chan string) {
	for {
		select {
		case <-ctx.Done():
			return
		case key := <-keys:
			object, exists, err := k.pods.GetByKey(key)
			if err != nil || !exists {
				continue
			}
			if err := k.treat(ctx, object.(*core.Pod)); err != nil && ctx.Err() == nil {
				say("pod", map[string]any{"error": key + ": " + err.Error()})
			}
		}
	}
}

// treat brings one pod's status to what it should be, or ends a pod that shall go.
func (k *kubelet) treat(ctx context.Context, pod *core.Pod) error {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	if pod.DeletionTimestamp != nil {
		now := int64(0)
		err := pods.Delete(ctx, pod.Name, meta.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: &meta.Preconditions{UID: &pod.UID},
		})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return err
	}
	status := statusOf(pod)
	if equality.Semantic.DeepEqual(pod.Status, status) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID}, // a pod of the same name made since then is another pod
		"status":   status,
	})
	if err != nil {
		return err
	}
	_, err = pods.Patch(ctx, pod.Name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it went, or moved: its event comes
	}
	return err
}
