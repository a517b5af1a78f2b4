// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/proc"
)

// Status is what of a bed runs.
type Status struct {
	Daemons []DaemonStatus
	Nodes   []NodeStatus
}

// DaemonStatus is one process; PID is 0 if it does not run.
type DaemonStatus struct {
	Name string
	PID  int
}

// State in a word.
func (d DaemonStatus) State() string {
	if d.PID == 0 {
		return "stopped"
	}
	return "running"
}

// NodeStatus is one node; State is a sentence's end: "ready", "cut", "not ready: ...".
type NodeStatus struct {
	Name, IP, State string
}

// Status looks at the processes, and asks the API server about the nodes.
func (b *Bed) Status(ctx context.Context) (Status, error) {
	config, err := b.Config()
	if err != nil {
		return Status{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Status{}, err
	}
	names, err := proc.Names(b.Dir)
	if err != nil {
		return Status{}, err
	}
	var status Status
	for _, name := range names {
		status.Daemons = append(status.Daemons, DaemonStatus{Name: name, PID: b.daemon(name, "").PID()})
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, n := range b.Nodes() {
		status.Nodes = append(status.Nodes, NodeStatus{Name: n.Name(), IP: n.IP(), State: n.status(ctx, client)})
	}
	return status, nil
}

func (n Node) status(ctx context.Context, client kubernetes.Interface) string {
	if !n.kubelet().Running() {
		return "stopped"
	}
	if !machine.LinkUp(n.link()) {
		return "cut"
	}
	node, err := client.CoreV1().Nodes().Get(ctx, n.Name(), metav1.GetOptions{})
	if err != nil {
		return fmt.Sprintf("unknown: %v", err)
	}
	if ready, message := nodeReady(node); !ready {
		return "not ready: " + message
	}
	return "ready"
}
