// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	clientset "github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/test/bed/cluster"
	"github.com/upmio/unit-operator/test/fleet"
)

const (
	// podNetwork has room for every pod that a phase makes.
	podNetwork        = "10.64.0.0/16"
	operatorNamespace = "upm-system"
	operatorUser      = "system:serviceaccount:upm-system:unit-operator"
	statefulSetUser   = "system:serviceaccount:kube-system:statefulset-controller"
	slowBy            = 200 * time.Millisecond
)

// plane is a control plane with a fleet.
type plane struct {
	light  *cluster.Light
	config *rest.Config
	kube   kubernetes.Interface
	upm    clientset.Interface
	dyn    dynamic.Interface
	fleet  *fleet.Fleet
	audit  string
	token  string
	stop   func()
}

// newPlane starts a control plane whose controllers keep their default limits, or have
// none. The scheduler and the fleet have none: they are the same for both who race.
func (b *bench) newPlane(ctx context.Context, unthrottled bool) (_ *plane, err error) {
	dir, err := os.MkdirTemp("", "unit-operator-scale-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &plane{audit: filepath.Join(dir, "audit.log")}
	p.stop = func() {
		cancel()
		if p.fleet != nil {
			p.fleet.Wait()
		}
		if p.light != nil {
			_ = p.light.Stop()
		}
		if b.keep {
			say("logs are in %s", filepath.Join(dir, "log"))
		} else {
			_ = os.RemoveAll(dir)
		}
	}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	options := cluster.LightOptions{
		Dir: dir, Scheduler: true,
		APIServerArgs: []string{
			"--audit-policy-file", policy, "--audit-log-path", p.audit, "--audit-log-mode", "batch",
			"--service-cluster-ip-range", "10.96.0.0/12",
		},
		// The fleet's nodes renew no leases and its claims are bound by itself.
		ControllerManagerArgs: []string{"--controllers", "*,-node-lifecycle-controller,-persistentvolume-binder-controller"},
		SchedulerArgs:         []string{"--kube-api-qps", "5000", "--kube-api-burst", "10000"},
	}
	if unthrottled {
		options.ControllerManagerArgs = append(options.ControllerManagerArgs, "--kube-api-qps", "5000", "--kube-api-burst", "10000")
	}
	if p.light, err = cluster.StartLight(ctx, options); err != nil {
		return nil, err
	}
	p.config = rest.CopyConfig(p.light.Config)
	p.config.QPS, p.config.Burst = -1, 0
	if p.kube, err = kubernetes.NewForConfig(p.config); err != nil {
		return nil, err
	}
	if p.upm, err = clientset.NewForConfig(p.config); err != nil {
		return nil, err
	}
	if p.dyn, err = dynamic.NewForConfig(p.config); err != nil {
		return nil, err
	}
	if err := p.install(ctx); err != nil {
		return nil, err
	}
	token, err := p.kube.CoreV1().ServiceAccounts(operatorNamespace).CreateToken(ctx, "unit-operator", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(12 * 3600))},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	p.token = token.Status.Token
	nodes := (6*b.sets+b.silent)/200 + 2
	p.fleet, err = fleet.Start(ctx, fleet.Options{
		Config: p.config, Network: netip.MustParsePrefix(podNetwork), Nodes: nodes, SlowShare: b.slow, SlowBy: slowBy,
	})
	return p, err
}

// install what an administrator installs, packages included.
func (p *plane) install(ctx context.Context) error {
	var objects []*unstructured.Unstructured
	for _, dir := range []string{"crds", "rbac", "packages"} {
		files, err := filepath.Glob(filepath.Join("artifacts", dir, "*.yaml"))
		if err != nil {
			return err
		}
		for _, f := range files {
			more, err := readObjects(f)
			if err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
			objects = append(objects, more...)
		}
	}
	sort.SliceStable(objects, func(i, j int) bool { return first(objects[i]) && !first(objects[j]) })
	var mapper meta.RESTMapper
	for _, o := range objects {
		for start := time.Now(); ; {
			err := p.apply(ctx, &mapper, o)
			if err == nil {
				break
			}
			if time.Since(start) > time.Minute || ctx.Err() != nil {
				return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
			}
			// A kind that was just defined is served a moment later.
			mapper = nil
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}

func first(o *unstructured.Unstructured) bool {
	return o.GetKind() == "Namespace" || o.GetKind() == "CustomResourceDefinition"
}

func (p *plane) apply(ctx context.Context, mapper *meta.RESTMapper, o *unstructured.Unstructured) error {
	if *mapper == nil {
		client, err := discovery.NewDiscoveryClientForConfig(p.config)
		if err != nil {
			return err
		}
		groups, err := restmapper.GetAPIGroupResources(client)
		if err != nil {
			return err
		}
		*mapper = restmapper.NewDiscoveryRESTMapper(groups)
	}
	kind := o.GroupVersionKind()
	m, err := (*mapper).RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var client dynamic.ResourceInterface = p.dyn.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		client = p.dyn.Resource(m.Resource).Namespace(o.GetNamespace())
	}
	_, err = client.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "bench", Force: true})
	return err
}

func readObjects(path string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var out []*unstructured.Unstructured
	for dec := utilyaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		o := &unstructured.Unstructured{}
		err := dec.Decode(o)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}
