// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/proc"
)

// Leftovers names everything on the machine that belongs to the bed in b.Dir: after Down, nothing.
func (b *Bed) Leftovers(ctx context.Context) ([]string, error) {
	var found []string
	add := func(kind string, names ...string) {
		for _, name := range names {
			found = append(found, kind+" "+name)
		}
	}
	pids, err1 := proc.Find(b.Dir, programs...)
	inContainers, err2 := machine.CgroupProcesses(prefix)
	for _, pid := range append(pids, inContainers...) {
		add("process", fmt.Sprint(pid))
	}
	mounts, err3 := machine.Mounts(b.Dir)
	add("mount", mounts...)
	devices, err4 := machine.LoopDevices(b.Dir)
	add("loop device", devices...)
	cgroups, err5 := machine.Cgroups(prefix)
	add("control group", cgroups...)
	add("network namespace", machine.Namespaces(prefix)...)
	add("link", machine.Links(prefix)...)
	if machine.ForwardingAllowed(ctx, bridge) {
		add("firewall rule for", bridge)
	}
	add("file", strays(b.Dir)...)
	if _, err := os.Stat(b.Dir); err == nil {
		add("directory", b.Dir)
	}
	return found, errors.Join(err1, err2, err3, err4, err5)
}
