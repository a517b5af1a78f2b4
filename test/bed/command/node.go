// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/cluster"
)

func newNode(dir *string) *cobra.Command {
	node := &cobra.Command{
		Use:   "node",
		Short: "Stop, start, cut off or join a node (root)",
	}
	for _, verb := range []struct {
		name, short string
		do          func(cluster.Node, context.Context) error
	}{
		{"stop", "Take the node's power: everything on it is killed, its disk stays", cluster.Node.Stop},
		{"start", "Give it back, and wait until the node is ready", cluster.Node.Start},
		{"cut", "Take the node's network: what runs on it runs on, alone", cluster.Node.Cut},
		{"join", "Give it back", cluster.Node.Join},
	} {
		node.AddCommand(&cobra.Command{
			Use:   verb.name + " NODE",
			Short: verb.short,
			Args:  cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				b, err := open(cmd, *dir)
				if err != nil {
					return err
				}
				n, err := b.Node(args[0])
				if err != nil {
					return err
				}
				return verb.do(n, cmd.Context())
			},
		})
	}
	return node
}

func newAPIServer(dir *string) *cobra.Command {
	server := &cobra.Command{
		Use:   "apiserver",
		Short: "Stop or start the API server (root)",
	}
	for _, verb := range []struct {
		name, short string
		do          func(*cluster.Bed, context.Context) error
	}{
		{"stop", "Kill the API server, as an outage would", (*cluster.Bed).StopAPIServer},
		{"start", "Start it again, and wait until it is ready", (*cluster.Bed).StartAPIServer},
	} {
		server.AddCommand(&cobra.Command{
			Use:   verb.name,
			Short: verb.short,
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				b, err := open(cmd, *dir)
				if err != nil {
					return err
				}
				return verb.do(b, cmd.Context())
			},
		})
	}
	return server
}
