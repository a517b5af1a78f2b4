// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/cluster"
)

func newKubectl() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl ARGS...",
		Short: "Run a kubectl of the bed's own version against it",
		Long: `kubectl passes all arguments on. The bed is the one in $UNIT_OPERATOR_BED_DIR, or the default directory,
for --dir would be kubectl's.`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := cluster.Open(os.Getenv(dirEnv), nil)
			if err != nil {
				return err
			}
			if _, err := b.Config(); err != nil {
				return err
			}
			kubectl := exec.CommandContext(cmd.Context(), b.Kubectl(), args...)
			kubectl.Env = append(os.Environ(), "KUBECONFIG="+b.Kubeconfig())
			kubectl.Stdin, kubectl.Stdout, kubectl.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := kubectl.Run(); err != nil {
				return passedOn{err}
			}
			return nil
		},
	}
}

func newLoadImage(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "load-image ARCHIVE...",
		Short: "Load docker or OCI archives of images into every node (root)",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, archives []string) error {
			b, err := open(cmd, *dir)
			if err != nil {
				return err
			}
			for _, archive := range archives {
				if err := b.LoadArchive(cmd.Context(), archive); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
