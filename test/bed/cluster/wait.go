// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/upmio/unit-operator/test/bed/proc"
)

// waitNodes returns when the nodes are ready, by a word of the kubelets that run now, can mount volumes,
// and DNS answers.
func (b *Bed) waitNodes(ctx context.Context, nodes ...Node) error {
	config, err := b.Config()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return b.report.Step(ctx, "waiting for the nodes", func(ctx context.Context) error {
		return proc.Poll(ctx, 3*time.Minute, 200*time.Millisecond, func(ctx context.Context) (bool, error) {
			for _, n := range nodes {
				if err := n.ready(ctx, client); err != nil {
					return false, fmt.Errorf("%s: %w", n.Name(), err)
				}
			}
			err := dnsReady(ctx)
			return err == nil, err
		})
	})
}

func (n Node) ready(ctx context.Context, client kubernetes.Interface) error {
	// As on any node, a kubelet that ends is started again. They have one socket for device plugins, at a path that
	// is the same for all on this machine: of two that make it at the same moment, one ends.
	if ended := n.kubelet().Ended(); ended != nil {
		return errors.Join(ended, n.kubelet().Start())
	}
	node, err := client.CoreV1().Nodes().Get(ctx, n.Name(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	if ready, message := nodeReady(node); !ready {
		return fmt.Errorf("not ready: %s", message)
	}
	// The condition outlives a node that has just been stopped; its lease says when it last spoke.
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, n.Name(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	if lease.Spec.RenewTime == nil || lease.Spec.RenewTime.Time.Before(n.kubelet().Since()) {
		return fmt.Errorf("no word from its kubelet yet")
	}
	driver, err := client.StorageV1().CSINodes().Get(ctx, n.Name(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(driver.Spec.Drivers) == 0 {
		return fmt.Errorf("its volume driver is not registered yet")
	}
	return nil
}

func nodeReady(node *corev1.Node) (bool, string) {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, condition.Message
		}
	}
	return false, "it has no condition yet"
}

func dnsReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostIP+":8181/ready", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("DNS is not ready: %s", response.Status)
	}
	return nil
}
