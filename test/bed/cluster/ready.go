// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/upmio/unit-operator/test/bed/proc"
)

// restConfig reads a kubeconfig file for a client of this machine. It lifts client-go's own limit of
// 5 requests a second, which measures the client where tests mean to measure the cluster.
func restConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 1000, 2000
	return config, nil
}

// waitAPIServer returns once the API server says it is ready. alive is asked first, so
// that an API server that ended is not waited for.
func waitAPIServer(ctx context.Context, config *rest.Config, timeout time.Duration, alive func() error) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return pollWhile(ctx, timeout, alive, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		body, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Param("verbose", "true").DoRaw(ctx)
		if err != nil {
			return false, fmt.Errorf("the API server to be ready: %s", firstFailure(string(body), err))
		}
		return true, nil
	})
}

// pollWhile is proc.Poll for what a process does: it fails at once if alive, asked before each check,
// says that the process has ended.
func pollWhile(ctx context.Context, timeout time.Duration, alive func() error, check func(context.Context) (bool, error)) error {
	var ended error
	err := proc.Poll(ctx, timeout, 50*time.Millisecond, func(ctx context.Context) (bool, error) {
		if ended = alive(); ended != nil {
			return true, nil
		}
		return check(ctx)
	})
	return errors.Join(ended, err)
}

// firstFailure picks the failed check out of a verbose readyz answer.
func firstFailure(body string, err error) string {
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "[-]") {
			return strings.TrimSpace(line)
		}
	}
	return err.Error()
}

// waitServiceAccounts returns once the controller manager has made the default service account,
// without which no Pod is admitted to the default namespace. alive is asked first, so that a controller
// manager that has ended is not waited for.
func waitServiceAccounts(ctx context.Context, config *rest.Config, timeout time.Duration, alive func() error) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return pollWhile(ctx, timeout, alive, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return false, fmt.Errorf("the controller manager: %w", err)
		}
		return true, nil
	})
}
