// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

const iptables = "iptables"

// Network is the box's own, in which packets can be lost.
type Network struct{ keeper *keeper }

// EachOnNetwork is Each for a box in whose Network packets can be lost.
func EachOnNetwork(t *testing.T, typ string, test func(t *testing.T, box *Box, network *Network)) {
	t.Helper()
	eachKept(t, typ, keptNetwork, iptables, func(t *testing.T, box *Box, k *keeper) { test(t, box, &Network{k}) })
}

// Drop loses every packet that is sent to the address, one of 127.0.0.0/8, until Pass.
// What is sent from it arrives.
func (n *Network) Drop(t *testing.T, address string) {
	t.Helper()
	n.keeper.ask(t, "drop "+address)
}

// Pass ends it. What senders still have they send again.
func (n *Network) Pass(t *testing.T, address string) {
	t.Helper()
	n.keeper.ask(t, "pass "+address)
}

func orderNetwork(order string) error {
	verb, address, _ := strings.Cut(order, " ")
	change := map[string]string{"drop": "--insert", "pass": "--delete"}[verb]
	out, err := exec.Command(iptables, "--wait", change, "INPUT", "--destination", address, "--jump", "DROP").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
