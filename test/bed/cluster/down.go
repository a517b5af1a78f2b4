// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/proc"
)

// programs are the file names of everything the bed runs outside of containers, and of the operator, which
// demo and tests run beside it with its kubeconfig.
var programs = []string{"kube", "containerd", "containerd-shim-runc-v2", "ctr", "coredns", "loopcsi", "csi-resizer", "unit-operator"}

// Down removes the bed, whatever is left of it: processes, containers, mounts, devices, network, control
// groups, kernel settings and the state directory. It is not an error if there is none. If something
// cannot be removed, the error names it.
func (b *Bed) Down(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New(`"bed down" needs root: run it with sudo`)
	}
	return b.report.Step(ctx, "taking the bed down", func(ctx context.Context) error {
		if err := b.killAll(ctx); err != nil {
			return err
		}
		err := errors.Join(
			machine.CutVolumes(ctx, b.Dir, b.path("volumes")), // nobody needs what is not written yet
			machine.DetachLoops(ctx, b.Dir),
			machine.RemoveNetwork(ctx, prefix),
			machine.RemoveCgroups(ctx, prefix),
			machine.RestoreSettings(b.path("sysctl.json")),
			removeStrays(b.Dir),
		)
		machine.DisallowForwarding(ctx, bridge)
		if err != nil {
			return err
		}
		if err := os.RemoveAll(b.Dir); err != nil {
			return err
		}
		b.settings = Settings{}
		left, err := b.Leftovers(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("these are left behind:\n  %s", strings.Join(left, "\n  "))
		}
		return err
	})
}

// killAll ends every process, in an order in which none is started again or misses another: kubelets
// and what else is on the nodes, containers, containerds, clients of the API server, it, and etcd.
func (b *Bed) killAll(ctx context.Context) error {
	names, err := proc.Names(b.Dir)
	if err != nil {
		return err
	}
	for _, rank := range killOrder(names) {
		for _, name := range rank {
			if err := b.daemon(name, "").Kill(ctx); err != nil {
				return err
			}
		}
	}
	return proc.KillAll(ctx, 30*time.Second, func() ([]int, error) {
		inContainers, err := machine.CgroupProcesses(prefix)
		if err != nil {
			return nil, err
		}
		others, err := proc.Find(b.Dir, programs...)
		return append(inContainers, others...), err
	})
}

// killOrder sorts the names of daemons into ranks that are to be ended one after the other.
func killOrder(names []string) [][]string {
	ranks := make([][]string, 5)
	for _, name := range names {
		rank := 2
		switch {
		case strings.HasPrefix(name, "kubelet-"), strings.HasPrefix(name, "kube-proxy-"):
			rank = 0
		case strings.HasPrefix(name, "containerd-"):
			rank = 1
		case name == "kube-apiserver":
			rank = 3
		case name == "etcd":
			rank = 4
		}
		ranks[rank] = append(ranks[rank], name)
	}
	return ranks
}
