// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package command is the command line of the bed: one file per verb, each a thin layer over the
// packages that do the work.
package command

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/cluster"
	"github.com/upmio/unit-operator/test/bed/progress"
)

const long = `bed runs a real Kubernetes cluster on this Linux machine, without Docker, for demos and tests of
unit-operator: control plane, three nodes in network namespaces (kubelet, kube-proxy, containerd,
runc, CNI), CoreDNS, a CSI driver whose volumes honour fsGroup, grow online and fill up, and images
of MySQL, PostgreSQL and ProxySQL that mirror the stock images' file lists.

  bed up                      bring it up (root; the first time builds everything: 12 to 25 minutes)
  bed kubectl get nodes       talk to it; or export KUBECONFIG as "bed up" prints it
  bed node cut node-2         partition a node; join, stop and start do what they say
  bed down                    remove all of it

  bed light                   a control plane alone, no root, until Ctrl-C

What is built is kept in $UNIT_OPERATOR_CACHE (default: unit-operator in the user's cache directory),
so the second "bed up" takes well under a minute.`

// New returns the root command.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "bed",
		Short:         "A real Kubernetes cluster on one machine, for unit-operator's demos and tests",
		Long:          long,
		SilenceUsage:  true,
		SilenceErrors: true, // main prints them
	}
	var dir string
	root.PersistentFlags().StringVar(&dir, "dir", cmp.Or(os.Getenv(dirEnv), cluster.DefaultDir), "state directory of the bed (or $"+dirEnv+")")
	root.AddCommand(
		newUp(&dir),
		newDown(&dir),
		newStatus(&dir),
		newKubectl(),
		newNode(&dir),
		newAPIServer(&dir),
		newLoadImage(&dir),
		newImages(),
		newBuild(),
		newLight(),
	)
	return root
}

// dirEnv names the state directory where a flag cannot.
const dirEnv = "UNIT_OPERATOR_BED_DIR"

func newBed(cmd *cobra.Command, dir string) (*cluster.Bed, error) {
	return cluster.New(dir, progress.New(cmd.ErrOrStderr()))
}

func open(cmd *cobra.Command, dir string) (*cluster.Bed, error) {
	return cluster.Open(dir, progress.New(cmd.ErrOrStderr()))
}

// passedOn marks the failure of a program whose own output has told the user all there is.
type passedOn struct{ error }

func (p passedOn) Unwrap() error { return p.error }

// IsPassedOn tells whether err needs no further words.
func IsPassedOn(err error) bool {
	_, ok := errors.AsType[passedOn](err)
	return ok
}
