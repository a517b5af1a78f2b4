// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newStatus(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what of the bed runs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := open(cmd, *dir)
			if err != nil {
				return err
			}
			status, err := b.Status(cmd.Context())
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			fmt.Fprintln(table, "PROCESS\tPID\tSTATE")
			for _, d := range status.Daemons {
				fmt.Fprintf(table, "%s\t%d\t%s\n", d.Name, d.PID, d.State())
			}
			fmt.Fprintln(table, "\nNODE\tADDRESS\tSTATE")
			for _, n := range status.Nodes {
				fmt.Fprintf(table, "%s\t%s\t%s\n", n.Name, n.IP, n.State)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\nexport KUBECONFIG=%s\n", b.Kubeconfig())
			return nil
		},
	}
}
