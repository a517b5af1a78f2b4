// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/test/bed/cluster"
	"github.com/upmio/unit-operator/test/bed/progress"
)

func newLight() *cobra.Command {
	var options cluster.LightOptions
	cmd := &cobra.Command{
		Use:   "light",
		Short: "Run a control plane alone (no root, no nodes) until interrupted",
		Long: `light runs etcd, kube-apiserver and kube-controller-manager on free ports of 127.0.0.1 and prints
where the kubeconfig is. Everything ends with this command. Objects are lost, unless --dir names a
directory to keep them in. Tests use the same through cluster.StartLight.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Report = progress.New(cmd.ErrOrStderr())
			l, err := cluster.StartLight(cmd.Context(), options)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The control plane is ready; Ctrl-C ends it.\n  export KUBECONFIG=%s\n  %s get namespaces\nLogs: %s/log\n",
				l.Kubeconfig, l.Kubectl, l.Dir)
			<-cmd.Context().Done()
			return l.Stop()
		},
	}
	cmd.Flags().StringVar(&options.Dir, "dir", "", "keep the state here (default: a temporary directory, removed at the end)")
	cmd.Flags().StringSliceVar(&options.ExtraSANs, "san", nil, "further names or addresses of the API server's certificate")
	return cmd
}
