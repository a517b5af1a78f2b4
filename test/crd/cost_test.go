// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crd

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestLargest creates and updates objects as large as the schema lets them be: the
// API server bounds what rules may cost while they run, too, and refuses whatever
// exceeds it.
func TestLargest(t *testing.T) {
	e := needCluster(t)
	long := "/" + strings.Repeat("a", 1023-4)
	var storages, emptyDirs, env, claims, containers, replicas []any
	for i := range 32 {
		size := "1Gi"
		name := fmt.Sprintf("v%047d", i)
		storages = append(storages, map[string]any{
			"name": name, "mountPath": fmt.Sprintf("%ss%02d", long, i), "size": size, "storageClassName": strings.Repeat("c", 253),
		})
		emptyDirs = append(emptyDirs, map[string]any{"name": "e" + name[1:], "mountPath": fmt.Sprintf("%se%02d", long, i), "size": size})
		claims = append(claims, map[string]any{"metadata": map[string]any{"name": fmt.Sprintf("v%062d", i)}, "spec": map[string]any{
			"storageClassName": strings.Repeat("c", 253),
			"accessModes":      []any{"ReadWriteOnce"},
			"resources":        map[string]any{"requests": map[string]any{"storage": size}},
		}})
	}
	for i := range 256 {
		env = append(env, map[string]any{"name": fmt.Sprintf("V%0252d", i), "value": "x"})
	}
	for i := range 63 {
		containers = append(containers, map[string]any{"name": fmt.Sprintf("c%062d", i), "image": "i"})
	}
	containers = append(containers, map[string]any{"name": "mysql", "image": "mysql:8.4.6"})
	for i := range 64 {
		replicas = append(replicas, map[string]any{"name": fmt.Sprintf("r%0252d", i), "host": fmt.Sprintf("h%0254d", i), "port": int64(1), "delaySeconds": int64(1)})
	}
	var tolerations, pullSecrets, ranges []any
	configuration := map[string]any{}
	for i := range 64 {
		tolerations = append(tolerations, map[string]any{"key": fmt.Sprintf("k%062d", i), "operator": "Exists"})
		ranges = append(ranges, fmt.Sprintf("fd00:0000:0000:0000:0000:0000:0000:%04x/128", i))
	}
	for i := range 16 {
		pullSecrets = append(pullSecrets, map[string]any{"name": fmt.Sprintf("s%0252d", i)})
	}
	for i := range 256 {
		configuration[fmt.Sprintf("c%0252d", i)] = strings.Repeat("v", 256)
	}
	replication := func(mode string, spec map[string]any) map[string]any {
		spec["mode"] = mode
		spec["unitSet"] = "a" + strings.Repeat("b", 48)
		spec["durability"] = map[string]any{"replicas": int64(64)}
		spec["service"] = map[string]any{"type": "LoadBalancer", "loadBalancerSourceRanges": ranges}
		return spec
	}

	for _, object := range []map[string]any{
		{
			"apiVersion": "upm.syntropycloud.io/v1alpha2", "kind": "UnitSet",
			"metadata": map[string]any{"name": "a" + strings.Repeat("b", 48)},
			"spec": map[string]any{
				"type": "mysql", "version": "8.4.6-" + strings.Repeat("a", 58), "units": int64(1000), "env": env, "storages": storages, "emptyDir": emptyDirs,
				"secret":        map[string]any{"name": "s", "mountPath": long + "s"},
				"configuration": configuration, "imagePullSecrets": pullSecrets, "scheduling": map[string]any{"tolerations": tolerations},
				"agentResources": map[string]any{"limits": map[string]any{"cpu": "2", "memory": "2Gi"}, "requests": map[string]any{"cpu": "1", "memory": "1Gi"}},
				"resources":      map[string]any{"limits": map[string]any{"cpu": "2", "memory": "2Gi"}, "requests": map[string]any{"cpu": "1", "memory": "1Gi"}},
			},
		},
		{
			"apiVersion": "upm.syntropycloud.io/v1alpha2", "kind": "Unit",
			"metadata": map[string]any{"name": "a" + strings.Repeat("b", 58)},
			"spec": map[string]any{
				"template":             map[string]any{"spec": map[string]any{"containers": containers}},
				"volumeClaimTemplates": claims,
			},
		},
		{
			"apiVersion": "upm.syntropycloud.io/v1alpha1", "kind": "MysqlReplication",
			"metadata": map[string]any{"name": "a" + strings.Repeat("b", 52)},
			"spec": replication("rpl_semi_sync", map[string]any{
				"secret": map[string]any{"name": "s", "mysql": "m", "replication": "r"},
				"source": map[string]any{"name": "s", "host": "h", "port": int64(1)}, "replica": replicas,
			}),
		},
		{
			"apiVersion": "upm.syntropycloud.io/v1alpha1", "kind": "PostgresReplication",
			"metadata": map[string]any{"name": "a" + strings.Repeat("b", 52)},
			"spec": replication("rpl_sync", map[string]any{
				"secret":  map[string]any{"name": "s", "postgres": "m", "replication": "r"},
				"primary": map[string]any{"name": "s", "host": "h", "port": int64(1)}, "standby": replicas,
			}),
		},
	} {
		u := &unstructured.Unstructured{Object: object}
		t.Run(u.GetKind(), func(t *testing.T) {
			u.SetNamespace(e.namespace(t))
			created, err := e.client(t, u).Create(t.Context(), u, metav1.CreateOptions{FieldValidation: strict})
			if err != nil {
				t.Fatalf("creating: %v", err)
			}
			created.SetLabels(map[string]string{"a": "b"})
			if _, err := e.client(t, u).Update(t.Context(), created, metav1.UpdateOptions{FieldValidation: strict}); err != nil {
				t.Fatalf("updating: %v", err)
			}
		})
	}
}
