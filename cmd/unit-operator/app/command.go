// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/version"
)

// Main runs unit-operator and returns the exit status: 0 after an orderly stop.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx := untilSignal()
	command := newCommand(Run)
	command.SetArgs(args)
	command.SetOut(stdout)
	command.SetErr(stderr)
	err := command.ExecuteContext(ctx)
	klog.Flush()
	if err == nil {
		return 0
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "unit-operator:", line)
	}
	return 1
}

// untilSignal ends with the first SIGTERM or SIGINT; the second one ends the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		s := <-signals
		klog.InfoS("Stopping; a second signal stops at once", "signal", s)
		cancel()
		<-signals
		klog.Flush()
		os.Exit(1)
	}()
	return ctx
}

// newCommand makes the command; run is Run outside tests.
func newCommand(run func(context.Context, *Options) error) *cobra.Command {
	options := NewOptions()
	root := &cobra.Command{
		Use:   "unit-operator",
		Short: "Runs MySQL, PostgreSQL and ProxySQL on Kubernetes",
		Long: `unit-operator runs MySQL, PostgreSQL and ProxySQL on Kubernetes: it makes Units of
UnitSets, and of Units the pods, claims and configurations.

It runs in the cluster (artifacts/deployment) or anywhere a kubeconfig leads to it from.
Before the first start install what it watches, what it is allowed, and what sets are made
from:

  kubectl apply -f artifacts/crds
  kubectl apply -f artifacts/rbac
  kubectl apply -f artifacts/packages

Until they are there it waits, and /readyz and the log say for what. Several may run: one
leads, the others stand by, and are ready. Stopping it, or running it nowhere for a while,
stops no database.`,
		Example: `  # from a workstation, with the rights of your kubeconfig
  unit-operator --kubeconfig ~/.kube/config --agent-image registry.example.com/unit-agent:v1.2.3

  # two namespaces only, and a log of every change
  unit-operator --agent-image registry.example.com/unit-agent:v1.2.3 --namespaces orders,billing -v=2

  # what is it waiting for?
  curl localhost:8081/readyz`,
		Version:       version.String(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return errors.Join(err, errors.New("see unit-operator --help"))
			}
			return run(command.Context(), options)
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.Flags().SortFlags = false
	sections := options.sections()
	for _, s := range sections {
		root.Flags().AddFlagSet(s.flags)
	}
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(command *cobra.Command, _ []string) {
			fmt.Fprintln(command.OutOrStdout(), "unit-operator", version.String())
		},
	})
	usage := root.UsageFunc()
	root.SetUsageFunc(func(command *cobra.Command) error {
		if command != root {
			return usage(command)
		}
		printUsage(command.OutOrStderr(), root, sections)
		return nil
	})
	return root
}

func printUsage(out io.Writer, root *cobra.Command, sections []section) {
	fmt.Fprintf(out, "Usage:\n  unit-operator [flags]\n  unit-operator version\n\nExamples:\n%s\n", root.Example)
	for _, s := range sections {
		fmt.Fprintf(out, "\n%s:\n%s", s.title, s.flags.FlagUsagesWrapped(100))
	}
}
