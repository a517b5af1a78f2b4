// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/upmio/unit-operator/test/bed/debian"
	"github.com/upmio/unit-operator/test/bed/machine"
)

// maxDirLength keeps the longest path of a socket below a kubelet's directory within what the kernel
// allows (108 bytes with the final zero).
const maxDirLength = 107 - len("/node-1/kubelet/plugins_registry/loop.csi.unit-operator-bed-reg.sock")

// Up brings the bed up, or completes what an earlier Up began, or loads changed images into a bed that
// is up. Settings.Binaries is ignored. It returns when every node is ready and DNS answers.
func (b *Bed) Up(ctx context.Context, settings Settings) error {
	if err := b.check(settings); err != nil {
		return err
	}
	if err := debian.InstallNeeded(ctx, b.report); err != nil {
		return err
	}
	m, err := b.build(ctx)
	if err != nil {
		return err
	}
	if !b.exists() {
		b.settings = settings
		b.settings.Binaries = m.binaries
		if err := os.MkdirAll(b.Dir, 0o755); err != nil {
			return err
		}
		if err := b.save(); err != nil {
			return err
		}
		if err := b.configure(); err != nil {
			return err
		}
	}
	if err := b.linkKubectl(); err != nil {
		return err
	}
	if err := b.prepareMachine(ctx); err != nil {
		return err
	}
	store, err := b.ensureStore(ctx, m.stored())
	if err != nil {
		return err
	}
	err = parallel(ctx,
		func(ctx context.Context) error { return b.startControlPlane(ctx) },
		func(ctx context.Context) error {
			return b.report.Step(ctx, "preparing the nodes", func(ctx context.Context) error {
				return b.eachNode(ctx, func(ctx context.Context, n Node) error { return n.bringUp(ctx, store, m) })
			})
		},
	)
	if err != nil {
		return err
	}
	if err := b.startAddOns(ctx); err != nil {
		return err
	}
	for _, n := range b.Nodes() {
		if err := n.startKubelet(ctx); err != nil {
			return err
		}
	}
	if err := b.waitNodes(ctx, b.Nodes()...); err != nil {
		return err
	}
	if m.programsErr != nil {
		return fmt.Errorf("the bed is up, but without images of this source tree: %w", m.programsErr)
	}
	return nil
}

func (b *Bed) check(settings Settings) error {
	switch {
	case os.Geteuid() != 0:
		return fmt.Errorf(`"bed up" needs root: run it with sudo; "bed light" does not`)
	case settings.Nodes < 1 || settings.Nodes > maxNodes:
		return fmt.Errorf("%d nodes: it must be 1 to %d", settings.Nodes, maxNodes)
	case len(b.Dir) > maxDirLength:
		return fmt.Errorf("the state directory's path %s is longer than %d characters, and so the paths of sockets below it too long", b.Dir, maxDirLength)
	case b.exists() && (b.settings.Nodes != settings.Nodes || !slices.Equal(b.settings.ExtraSANs, settings.ExtraSANs) ||
		!slices.Equal(b.settings.APIServerArgs, settings.APIServerArgs)):
		return fmt.Errorf(`there is a bed with other settings (%d nodes, names %v, API server arguments %v); "bed down" first`,
			b.settings.Nodes, b.settings.ExtraSANs, b.settings.APIServerArgs)
	}
	return nil
}

// changedSettings are the kernel settings that the bed or its kubelets change on the machine.
var changedSettings = []string{
	"net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "fs/inotify/max_user_instances",
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// prepareMachine makes what all nodes share.
func (b *Bed) prepareMachine(ctx context.Context) error {
	if err := machine.SaveSettings(b.path("sysctl.json"), changedSettings); err != nil {
		return err
	}
	err := machine.Settings{
		"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "0",
		"fs/inotify/max_user_instances": "1024", // three kubelets, three containerds
	}.Apply()
	if err != nil {
		return err
	}
	for _, module := range []string{"overlay", "br_netfilter", "xfs", "loop"} {
		// It fails where a module is built in; if it is missing altogether, the first use says so.
		_, _ = machine.Run(ctx, "modprobe", module)
	}
	if err := machine.EnsureBridge(ctx, bridge, hostIP+"/24"); err != nil {
		return err
	}
	return machine.AllowForwarding(ctx, bridge)
}

// bringUp prepares a node up to its containerd and its images.
func (n Node) bringUp(ctx context.Context, store string, m made) error {
	if err := n.prepare(ctx); err != nil {
		return err
	}
	if !isDir(n.path("containerd")) {
		if err := cloneStore(ctx, store, n.path("containerd")); err != nil {
			return err
		}
		if err := n.setLoaded(loaded{}, m.stored()...); err != nil {
			return err
		}
	}
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	return n.load(ctx, m.all())
}
