// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/pkg/version"
)

// clients of the API server. kube, upm and metadata share one rate limit; events and
// election have their own, so that neither starves nor is starved.
type clients struct {
	// config is what they are made of, for port-forwards.
	config *rest.Config
	// inCluster is true where pods' addresses are routed.
	inCluster bool

	kube     kubernetes.Interface
	upm      versioned.Interface
	metadata metadata.Interface
	events   kubernetes.Interface
	election kubernetes.Interface
}

func newClients(o *Options) (*clients, error) {
	config, inCluster, err := loadConfig(o.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent = fmt.Sprintf("unit-operator/%s (%s/%s)", version.Version, runtime.GOOS, runtime.GOARCH)
	c := &clients{config: config, inCluster: inCluster}

	shared := rest.CopyConfig(config)
	shared.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(o.KubeAPIQPS, o.KubeAPIBurst)
	events := rest.AddUserAgent(rest.CopyConfig(config), "events")
	events.QPS, events.Burst = o.KubeAPIQPS/2, o.KubeAPIBurst
	election := rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	// A request that hangs must leave time for a second one.
	election.Timeout = o.RenewDeadline / 2

	var errs [5]error
	c.kube, errs[0] = kubernetes.NewForConfig(protobuf(shared))
	c.upm, errs[1] = versioned.NewForConfig(shared)
	c.metadata, errs[2] = metadata.NewForConfig(shared)
	c.events, errs[3] = kubernetes.NewForConfig(protobuf(events))
	c.election, errs[4] = kubernetes.NewForConfig(protobuf(election))
	return c, errors.Join(errs[:]...)
}

// protobuf is for the API server's own types; ours are served as JSON only.
func protobuf(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.ContentType = kruntime.ContentTypeProtobuf
	c.AcceptContentTypes = kruntime.ContentTypeProtobuf + "," + kruntime.ContentTypeJSON
	return c
}

// loadConfig finds the cluster: the file named, $KUBECONFIG, the service account of the
// pod this runs in, the default file.
func loadConfig(file string) (config *rest.Config, inCluster bool, err error) {
	if file == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		config, err = rest.InClusterConfig()
		if err == nil {
			return config, true, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, false, fmt.Errorf("the service account of this pod: %w", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, false, errors.New("this is no pod of a cluster and there is no kubeconfig: name one by --kubeconfig FILE, or set KUBECONFIG")
	case err != nil:
		return nil, false, fmt.Errorf("reading the kubeconfig: %w; name another one by --kubeconfig FILE", err)
	}
	return config, false, nil
}
