// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"

	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// kinds are the resources that must be served before anything is watched.
var kinds = []struct {
	version   string
	resources []string
}{
	{v1alpha2.GroupVersion.String(), []string{"unitsets", "units"}},
	{v1alpha1.GroupVersion.String(), []string{"grpccalls", "mysqlreplications", "postgresreplications"}},
}

// checkCRDs returns an error that names the kinds that are not served.
func checkCRDs(client discovery.DiscoveryInterface) error {
	var missing []string
	for _, k := range kinds {
		list, err := client.ServerResourcesForGroupVersion(k.version)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("the API server does not say which kinds it has: %w", err)
		}
		for _, want := range k.resources {
			served := false
			if list != nil {
				for i := range list.APIResources {
					served = served || list.APIResources[i].Name == want
				}
			}
			if !served {
				missing = append(missing, want+" ("+k.version+")")
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the cluster has no %s; install the CRDs: kubectl apply -f artifacts/crds", strings.Join(missing, ", "))
}

// ensureCA reads or makes the agents' CA. Its errors say what to do.
func ensureCA(ctx context.Context, secrets agenttls.Secrets, namespace string, now time.Time) (*agenttls.CA, error) {
	ca, err := agenttls.EnsureCA(ctx, secrets, now)
	return ca, advise(err, namespace)
}

// namespaces is what readClusterUID needs of a client.
type namespaces interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.Namespace, error)
}

// readClusterUID is what this cluster is told from others by: the UID of its
// namespace kube-system, which is made with the cluster and never deleted. Backups
// carry it, so that several clusters may share a store. Without it they would be
// those of no cluster, so nothing is done until it can be read.
func readClusterUID(ctx context.Context, client namespaces) (types.UID, error) {
	ns, err := client.Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		err = fmt.Errorf("reading the namespace %s, whose UID is the cluster's identity in backups: %w", metav1.NamespaceSystem, err)
		if apierrors.IsNotFound(err) {
			return "", err
		}
		return "", advise(err, "")
	}
	return ns.UID, nil
}

// advise adds to an error of a request in the operator's namespace what mends it.
func advise(err error, namespace string) error {
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w; make the operator's namespace: kubectl create namespace %s, or name another one by --operator-namespace", err, namespace)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return fmt.Errorf("%w; grant it: kubectl apply -f artifacts/rbac", err)
	}
	return err
}
