// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/cluster"
)

func newUp(dir *string) *cobra.Command {
	var settings cluster.Settings
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the bed up, or load what changed into a bed that is up (root)",
		Long: `up installs the Debian packages that are missing, builds what is not in the cache, and brings up the
control plane and the nodes. On a bed that is up it starts what does not run and loads images that
changed (those of unit-agent and unit-operator are built from the source tree each time), so it can be
repeated after an error, a kill, or an edit.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := open(cmd, *dir)
			if err != nil {
				return err
			}
			if err := b.Up(cmd.Context(), settings); err != nil {
				return fmt.Errorf("%w\nLogs are in %s. \"bed up\" again resumes; \"bed down\" removes what is there", err, filepath.Join(b.Dir, "log"))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The bed is up.\n  export KUBECONFIG=%s\n  %s get nodes\nLogs: %s/log. \"bed down\" removes it.\n",
				b.Kubeconfig(), b.Kubectl(), b.Dir)
			return nil
		},
	}
	cmd.Flags().IntVar(&settings.Nodes, "nodes", 3, "number of nodes, 1 to 9")
	cmd.Flags().StringSliceVar(&settings.ExtraSANs, "san", nil, "further names or addresses of the API server's certificate")
	cmd.Flags().StringSliceVar(&settings.APIServerArgs, "apiserver-arg", nil, "further arguments of the API server, for example --default-unreachable-toleration-seconds=5")
	return cmd
}

func newDown(dir *string) *cobra.Command {
	var logs string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove the bed and everything it made on the machine (root)",
		Long: `down ends every process and container of the bed, and removes its mounts, loop devices, network,
control groups, kernel settings and state directory. It works on a bed that is half up, or whose
processes were killed. What was built stays in the cache.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := newBed(cmd, *dir)
			if err != nil {
				return err
			}
			if logs != "" {
				if err := os.CopyFS(logs, os.DirFS(filepath.Join(b.Dir, "log"))); err != nil {
					return fmt.Errorf("keeping the logs: %w", err)
				}
			}
			if err := b.Down(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "The bed is down; nothing is left of it.")
			return nil
		},
	}
	cmd.Flags().StringVar(&logs, "save-logs", "", "copy the logs of the bed's processes to this directory first, which must not hold them yet")
	return cmd
}
