package main

import (
	"fmt"
	"hash/fnv"
	"strings"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Images that do not run, by the beginning of their names; what follows it is free. Every other image runs.
const (
	pullFails    = "fail.example/pull/"    // it can't be pulled: ImagePullBackOff
	crashes      = "fail.example/crash/"   // it ends with status 1 again and again: CrashLoopBackOff; once, in a Job: failed
	staysUnready = "fail.example/unready/" // it runs, and its readiness probe fails
	keepsRunning = "run.example/"          // a Job's pod that doesn't end
)

// statusOf says what a kubelet would report of a pod. Pure: the same pod, the same status.
func statusOf(pod *core.Pod) core.PodStatus {
	status := *pod.Status.DeepCopy()
	if status.Phase == core.PodSucceeded || status.Phase == core.PodFailed {
		return status
	}
	if status.StartTime == nil {
		now := meta.Now()
		status.StartTime = &now
	}
	since := *status.StartTime
	runsOnce := pod.Spec.RestartPolicy != core.RestartPolicyAlways
	status.InitContainerStatuses = nil
	for _, container := range pod.Spec.InitContainers {
		restarts := container.RestartPolicy != nil && *container.RestartPolicy == core.ContainerRestartPolicyAlways
		status.InitContainerStatuses = append(status.InitContainerStatuses, statusOfContainer(container, !restarts, since))
	}
	status.ContainerStatuses = nil
	for _, container := range pod.Spec.Containers {
		ends := runsOnce && !strings.HasPrefix(container.Image, keepsRunning)
		status.ContainerStatuses = append(status.ContainerStatuses, statusOfContainer(container, ends, since))
	}
	status.Phase = phaseOf(status, runsOnce)
	status.HostIP, status.HostIPs = "127.0.0.1", []core.HostIP{{IP: "127.0.0.1"}}
	status.PodIP = addressOf(pod)
	status.PodIPs = []core.PodIP{{IP: status.PodIP}}
	isReady := status.Phase == core.PodRunning && allReady(status.ContainerStatuses)
	reason := ""
	if !isReady {
		reason = "ContainersNotReady"
	}
	if status.Phase == core.PodSucceeded {
		reason = "PodCompleted"
	}
	setCondition(&status, core.PodInitialized, true, "", since)
	setCondition(&status, core.ContainersReady, isReady, reason, since)
	setCondition(&status, core.PodReady, isReady, reason, since)
	return status
}

func statusOfContainer(container core.Container, ends bool, since meta.Time) core.ContainerStatus {
	status := core.ContainerStatus{Name: container.Name, Image: container.Image}
	started := true
	switch {
	case strings.HasPrefix(container.Image, pullFails):
		started = false
		status.State.Waiting = &core.ContainerStateWaiting{
			Reason: "ImagePullBackOff", Message: fmt.Sprintf("Back-off pulling image %q", container.Image),
		}
	case strings.HasPrefix(container.Image, crashes) && ends:
		started = false
		status.State.Terminated = &core.ContainerStateTerminated{ExitCode: 1, Reason: "Error", StartedAt: since, FinishedAt: since}
	case strings.HasPrefix(container.Image, crashes):
		started = false
		status.RestartCount = 3
		status.State.Waiting = &core.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: "back-off 40s restarting failed container=" + container.Name,
		}
		status.LastTerminationState.Terminated = &core.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", StartedAt: since, FinishedAt: since,
		}
	case ends:
		started = false
		status.State.Terminated = &core.ContainerStateTerminated{ExitCode: 0, Reason: "Completed", StartedAt: since, FinishedAt: since}
	default:
		status.Ready = !strings.HasPrefix(container.Image, staysUnready)
		status.State.Running = &core.ContainerStateRunning{StartedAt: since}
	}
	status.Started = &started
	return status
}

func phaseOf(status core.PodStatus, runsOnce bool) core.PodPhase {
	ended, failed, waiting := 0, 0, 0
	for _, one := range status.ContainerStatuses {
		switch {
		case one.State.Terminated != nil && one.State.Terminated.ExitCode != 0:
			failed++
			ended++
		case one.State.Terminated != nil:
			ended++
		case one.State.Waiting != nil && one.State.Waiting.Reason == "ImagePullBackOff":
			waiting++
		}
	}
	switch {
	case runsOnce && ended == len(status.ContainerStatuses) && failed > 0:
		return core.PodFailed
	case runsOnce && ended == len(status.ContainerStatuses):
		return core.PodSucceeded
	case waiting > 0:
		return core.PodPending
	default:
		return core.PodRunning
	}
}

func allReady(containers []core.ContainerStatus) bool {
	for _, one := range containers {
		if !one.Ready {
			return false
		}
	}
	return true
}

func setCondition(status *core.PodStatus, kind core.PodConditionType, holds bool, reason string, since meta.Time) {
	wanted := core.PodCondition{Type: kind, Status: core.ConditionFalse, Reason: reason, LastTransitionTime: since}
	if holds {
		wanted.Status = core.ConditionTrue
	}
	for i, one := range status.Conditions {
		if one.Type != kind {
			continue
		}
		if one.Status == wanted.Status {
			wanted.LastTransitionTime = one.LastTransitionTime
			wanted.ObservedGeneration = one.ObservedGeneration
		}
		status.Conditions[i] = wanted
		return
	}
	status.Conditions = append(status.Conditions, wanted)
}

// addressOf invents a pod's address, the same one whenever it is asked.
func addressOf(pod *core.Pod) string {
	sum := fnv.New32a()
	sum.Write([]byte(pod.UID))
	n := sum.Sum32()
	return fmt.Sprintf("10.%d.%d.%d", 128+n%64, n>>8&255, n>>16&255)
}
