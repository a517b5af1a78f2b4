// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/proc"
)

// Stop ends the node as a power failure would: its kubelet, its containers and everything else in it are
// killed, its mounts, devices and network are gone, and so is what was written to volumes but not
// synced. What was on its disk stays.
func (n Node) Stop(ctx context.Context) error {
	return n.bed.report.Step(ctx, "stopping "+n.Name(), func(ctx context.Context) error {
		if err := n.kill(ctx); err != nil {
			return err
		}
		if err := machine.CutVolumes(ctx, n.Dir(), n.bed.path("volumes")); err != nil {
			return err
		}
		if err := n.namespace().Remove(ctx); err != nil {
			return err
		}
		return os.RemoveAll(n.state()) // as /run is after a boot
	})
}

// kill ends every process of the node: first what would start others again.
func (n Node) kill(ctx context.Context) error {
	for _, d := range []proc.Daemon{n.kubelet(), n.proxy(), n.volumeDriver(), n.containerd()} {
		if err := d.Kill(ctx); err != nil {
			return err
		}
	}
	return proc.KillAll(ctx, 30*time.Second, func() ([]int, error) {
		inContainers, err := machine.CgroupProcesses(n.cgroup())
		if err != nil {
			return nil, err
		}
		others, err := proc.Find(n.Dir(), programs...)
		return append(inContainers, others...), err
	})
}

// Start starts a node that was stopped, or whatever of it does not run, and returns when it is ready.
func (n Node) Start(ctx context.Context) error {
	err := n.bed.report.Step(ctx, "starting "+n.Name(), func(ctx context.Context) error {
		if err := n.prepare(ctx); err != nil {
			return err
		}
		if err := n.startContainerd(ctx); err != nil {
			return err
		}
		return n.startKubelet(ctx)
	})
	if err != nil {
		return err
	}
	return n.bed.waitNodes(ctx, n)
}

// Cut takes the node's network away, as a partition does. What runs on it runs on.
func (n Node) Cut(ctx context.Context) error { return n.setLink(ctx, false) }

// Join gives the node its network back.
func (n Node) Join(ctx context.Context) error { return n.setLink(ctx, true) }

func (n Node) setLink(ctx context.Context, up bool) error {
	if len(machine.Links(n.link())) == 0 {
		return errors.New(n.Name() + ` is stopped; "bed node start" it first`)
	}
	return machine.SetLink(ctx, n.link(), up)
}
