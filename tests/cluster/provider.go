package main

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"net"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// A pretended provider of what a cluster's surroundings give: a volume for every claim, an address for every load balancer.
type provider struct {
	client kubernetes.Interface
}

func startProvider(ctx context.Context, client kubernetes.Interface) error {
	p := &provider{client: client}
	factory := informers.NewSharedInformerFactory(client, 0)
	for _, one := range []struct {
		informer cache.SharedIndexInformer
		treat    func(context.Context, any) error
	}{
		{factory.Core().V1().PersistentVolumeClaims().Informer(), p.provision},
		{factory.Core().V1().PersistentVolumes().Informer(), p.reclaim},
		{factory.Core().V1().Services().Informer(), p.balance},
	} {
		handle := func(object any) {
			if err := one.treat(ctx, object); err != nil && ctx.Err() == nil {
				say("provider", map[string]any{"error": err.Error()})
			}
		}
		_, err := one.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    handle,
			UpdateFunc: func(_, object any) { handle(object) },
		})
		if err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	return nil
}

// provision makes a volume that is bound to a claim from the start; the volume controller completes the binding.
func (p *provider) provision(ctx context.Context, object any) error {
	claim := object.(*core.PersistentVolumeClaim)
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil {
		return nil
	}
	class := ""
	if claim.Spec.StorageClassName != nil {
		class = *claim.Spec.StorageClassName
	}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: "pvc-" + string(claim.UID)},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      claim.Spec.Resources.Requests,
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimRetain,
			StorageClassName:              class,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &core.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: core.PersistentVolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/nonexistent"}},
		},
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// reclaim deletes a volume whose claim is gone.
func (p *provider) reclaim(ctx context.Context, object any) error {
	volume := object.(*core.PersistentVolume)
	if volume.Status.Phase != core.VolumeReleased || volume.DeletionTimestamp != nil {
		return nil
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// balance gives a load balancer an address of the block for documentation (RFC 5737).
func (p *provider) balance(ctx context.Context, object any) error {
	service := object.(*core.Service)
	isBalancer := service.Spec.Type == core.ServiceTypeLoadBalancer && service.DeletionTimestamp == nil
	if !isBalancer || len(service.Status.LoadBalancer.Ingress) > 0 {
		return nil
	}
	sum := fnv.New32a()
	sum.Write([]byte(service.UID))
	address := net.IPv4(203, 0, 113, byte(1+sum.Sum32()%254)).String()
	mode := core.LoadBalancerIPModeVIP
	status := core.ServiceStatus{
		LoadBalancer: core.LoadBalancerStatus{Ingress: []core.LoadBalancerIngress{{IP: address, IPMode: &mode}}},
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": service.UID}, "status": status})
	if err != nil {
		return err
	}
	services := p.client.CoreV1().Services(service.Namespace)
	_, err = services.Patch(ctx, service.Name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
