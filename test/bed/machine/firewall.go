// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
)

// forwardRules let traffic pass between the bridge's links, where the machine's own firewall filters
// bridged packets too and drops what it does not know (as Docker has it do).
func forwardRules(bridge string) [][]string {
	const comment = "unit-operator test bed"
	return [][]string{
		{"FORWARD", "-i", bridge, "-m", "comment", "--comment", comment, "-j", "ACCEPT"},
		{"FORWARD", "-o", bridge, "-m", "comment", "--comment", comment, "-j", "ACCEPT"},
	}
}

// AllowForwarding lets traffic of the bridge through the machine's firewall.
func AllowForwarding(ctx context.Context, bridge string) error {
	for _, rule := range forwardRules(bridge) {
		if _, err := Run(ctx, "iptables", append([]string{"-w", "-C"}, rule...)...); err == nil {
			continue
		}
		if _, err := Run(ctx, "iptables", append([]string{"-w", "-I"}, rule...)...); err != nil {
			return err
		}
	}
	return nil
}

// DisallowForwarding removes what AllowForwarding added.
func DisallowForwarding(ctx context.Context, bridge string) {
	for _, rule := range forwardRules(bridge) {
		// Until it says there is no such rule, or that there is no iptables.
		for {
			if _, err := Run(ctx, "iptables", append([]string{"-w", "-D"}, rule...)...); err != nil {
				break
			}
		}
	}
}

// ForwardingAllowed tells whether a rule of AllowForwarding is there.
func ForwardingAllowed(ctx context.Context, bridge string) bool {
	for _, rule := range forwardRules(bridge) {
		if _, err := Run(ctx, "iptables", append([]string{"-w", "-C"}, rule...)...); err == nil {
			return true
		}
	}
	return false
}
