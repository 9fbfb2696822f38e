// gotypes prints, as JSON, how the Go types behind the sandbox's kinds are encoded: which fields are pointers, which are
// left out when they are empty, how a strategic merge patch treats their lists, and their protobuf numbers. The OpenAPI
// documents do not tell these.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

var kinds = []any{
	core.Namespace{}, core.ConfigMap{}, core.Secret{}, core.Service{}, core.ServiceAccount{}, core.Pod{},
	core.PersistentVolumeClaim{}, core.Event{}, core.Node{},
	apps.Deployment{}, apps.ReplicaSet{}, apps.StatefulSet{}, apps.DaemonSet{},
	batch.Job{}, batch.CronJob{},
	networking.Ingress{}, networking.NetworkPolicy{},
	rbac.Role{}, rbac.RoleBinding{}, rbac.ClusterRole{}, rbac.ClusterRoleBinding{},
	coordination.Lease{}, discovery.EndpointSlice{}, policy.PodDisruptionBudget{}, autoscalingv2.HorizontalPodAutoscaler{}, autoscaling.Scale{},
	apiextensions.CustomResourceDefinition{},
}

type field struct {
	Type      string `json:"type"`
	OmitEmpty bool   `json:"omitEmpty,omitempty"`
	Pointer   bool   `json:"pointer,omitempty"`
	Patch     string `json:"patch,omitempty"`
	MergeKey  string `json:"mergeKey,omitempty"`
	Number    string `json:"number,omitempty"` // in the protobuf encoding, which kubectl sends what it makes itself in
}

type types map[string]map[string]field

func main() {
	found := types{}
	for _, kind := range kinds {
		found.add(reflect.TypeOf(kind))
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// add describes a struct once, and the structs in its fields.
func (t types) add(one reflect.Type) {
	name := nameOf(one)
	if _, known := t[name]; known || one.Kind() != reflect.Struct || encodesItself(one) {
		return
	}
	t[name] = map[string]field{}
	t.addFields(name, one)
}

func (t types) addFields(name string, one reflect.Type) {
	for i := range one.NumField() {
		member := one.Field(i)
		tag, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		if tag == "" && (member.Anonymous || strings.Contains(options, "inline")) {
			t.addFields(name, member.Type)
			continue
		}
		if tag == "-" || tag == "" {
			continue
		}
		_, number, _ := strings.Cut(member.Tag.Get("protobuf"), ",")
		number, _, _ = strings.Cut(number, ",")
		t[name][tag] = field{
			Type:      t.describe(member.Type),
			OmitEmpty: strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"),
			Pointer:   member.Type.Kind() == reflect.Pointer || strings.Contains(options, "omitzero"),
			Patch:     member.Tag.Get("patchStrategy"),
			MergeKey:  member.Tag.Get("patchMergeKey"),
			Number:    number,
		}
	}
}

// describe names a type: `list X`, `map X`, a struct's name, or a scalar.
func (t types) describe(one reflect.Type) string {
	for one.Kind() == reflect.Pointer {
		one = one.Elem()
	}
	if encodesItself(one) {
		return nameOf(one)
	}
	switch one.Kind() {
	case reflect.Slice:
		if one.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "list " + t.describe(one.Elem())
	case reflect.Map:
		return "map " + t.describe(one.Elem())
	case reflect.Struct:
		t.add(one)
		return nameOf(one)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	default:
		return "integer"
	}
}

func encodesItself(one reflect.Type) bool {
	marshaler := reflect.TypeFor[json.Marshaler]()
	return one.Kind() == reflect.Struct && (one.Implements(marshaler) || reflect.PointerTo(one).Implements(marshaler))
}

// nameOf writes a type as OpenAPI does: k8s.io/api/apps/v1.Deployment is io.k8s.api.apps.v1.Deployment.
func nameOf(one reflect.Type) string {
	host, rest, _ := strings.Cut(one.PkgPath(), "/")
	parts := strings.Split(host, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ".") + "." + strings.ReplaceAll(rest, "/", ".") + "." + one.Name()
}
