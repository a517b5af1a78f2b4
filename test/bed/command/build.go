// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/progress"
)

func newBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build COMPONENT...",
		Short: "Build components into the cache and print where their binaries are",
		Long: `build builds components that are not in the cache yet and prints a directory of binaries for each.
There are: ` + strings.Join(build.Components(), ", ") + `.
"bed up" builds what it needs by itself; s3 (versitygw), s5cmd (a client of S3) and kwok are only built on request.`,
		Args:      cobra.MatchAll(cobra.MinimumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: build.Components(),
		RunE: func(cmd *cobra.Command, names []string) error {
			report := progress.New(cmd.ErrOrStderr())
			for _, name := range names {
				dir, err := build.Component(cmd.Context(), report, name)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), dir)
			}
			return nil
		},
	}
}
