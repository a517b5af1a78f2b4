// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/debian"
	"github.com/upmio/unit-operator/test/bed/images"
	"github.com/upmio/unit-operator/test/bed/progress"
)

var errNotRoot = errors.New("this needs root: run it with sudo")

func newImages() *cobra.Command {
	var output string
	var also []string
	cmd := &cobra.Command{
		Use:   "images",
		Short: "Print the database images and their versions, making those that are missing (root)",
		Long: `images prints for each type of database the version that the bed has an image of, which is what
spec.version of a UnitSet takes, and the image's names. With -o json: an object of type to version.
With --also NAME it makes an image that the bed does not run, for the engines' tests on other versions;
there are: ` + strings.Join(images.Others(), ", ") + `.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return errNotRoot
			}
			if output == "json" && len(also) > 0 {
				return errors.New("-o json says what the bed runs, which is nothing of --also: give one of the two")
			}
			report := progress.New(cmd.ErrOrStderr())
			if err := debian.InstallNeeded(cmd.Context(), report); err != nil {
				return err
			}
			all, err := images.Databases(cmd.Context(), report)
			if err != nil {
				return err
			}
			for _, name := range also {
				image, err := images.Other(cmd.Context(), report, name)
				if err != nil {
					return err
				}
				all = append(all, image)
			}
			return printImages(cmd.OutOrStdout(), output, all)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", `output format: "json" or nothing`)
	cmd.Flags().StringSliceVar(&also, "also", nil, "names of images beside those that the bed runs")
	return cmd
}

func printImages(out io.Writer, format string, all []images.Image) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(images.Versions(all))
	case "":
		table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
		fmt.Fprintln(table, "TYPE\tVERSION\tIMAGES")
		for _, image := range all {
			fmt.Fprintf(table, "%s\t%s\t%s\n", image.Type, image.Version, strings.Join(image.References, " "))
		}
		return table.Flush()
	default:
		return fmt.Errorf(`output format %q is not known; "json" is`, format)
	}
}
