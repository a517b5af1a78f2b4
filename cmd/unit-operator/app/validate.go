// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/leaderelection"
)

// Validate says of every flag that cannot work what to write instead.
func (o *Options) Validate() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if bad := validation.IsDNS1123Label(o.OperatorNamespace); len(bad) > 0 {
		refuse("--operator-namespace=%q is no name of a namespace: %s", o.OperatorNamespace, strings.Join(bad, "; "))
	}
	for i, ns := range o.Namespaces {
		if bad := validation.IsDNS1123Label(ns); len(bad) > 0 {
			refuse("--namespaces: %q is no name of a namespace: %s; leave the flag out to serve all", ns, strings.Join(bad, "; "))
		} else if slices.Contains(o.Namespaces[:i], ns) {
			refuse("--namespaces names %s twice; name each once", ns)
		}
	}
	if o.KubeAPIQPS <= 0 {
		refuse("--kube-api-qps=%v must be above 0; give a large number if the API server is to set the pace", o.KubeAPIQPS)
	}
	if o.KubeAPIBurst < 1 {
		refuse("--kube-api-burst=%d must be at least 1; twice --kube-api-qps is a good value", o.KubeAPIBurst)
	}

	switch {
	case o.AgentImage == "":
		refuse("--agent-image is missing: name the image of unit-agent that pods are to get, of the same release as this operator, e.g. --agent-image=registry.example.com/unit-agent:v1.2.3")
	case strings.ContainsAny(o.AgentImage, " \t\n"):
		refuse("--agent-image=%q contains white space; give one image, e.g. registry.example.com/unit-agent:v1.2.3", o.AgentImage)
	}
	if dials := []string{dialAuto, dialPodIP, dialPortForward}; !slices.Contains(dials, o.AgentDial) {
		refuse("--agent-dial=%q is unknown; choose one of %s", o.AgentDial, strings.Join(dials, ", "))
	}
	if bad := validation.IsDNS1123Subdomain(o.ClusterDomain); len(bad) > 0 {
		refuse("--cluster-domain=%q is no DNS domain: %s; most clusters have cluster.local", o.ClusterDomain, strings.Join(bad, "; "))
	}
	for name, n := range map[string]int{"concurrent-unitset-syncs": o.ConcurrentUnitSetSyncs, "concurrent-unit-syncs": o.ConcurrentUnitSyncs, "concurrent-grpccall-syncs": o.ConcurrentGrpcCallSyncs, "concurrent-mysqlreplication-syncs": o.ConcurrentMysqlReplicationSyncs, "concurrent-postgresreplication-syncs": o.ConcurrentPostgresReplicationSyncs} {
		if n < 1 {
			refuse("--%s=%d must be at least 1, or nothing would be done", name, n)
		}
	}

	if o.LeaderElect {
		errs = append(errs, o.validateLease()...)
	}

	if _, port, err := net.SplitHostPort(o.HTTPAddress); err != nil {
		refuse("--http-address=%q: %v; write HOST:PORT, or :PORT for all addresses", o.HTTPAddress, err)
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		refuse("--http-address=%q: the port must be a number from 1 to 65535", o.HTTPAddress)
	}
	if q, err := resource.ParseQuantity(o.MemoryLimit); err != nil || q.Sign() < 0 {
		refuse("--memory-limit=%q is no amount of memory; write e.g. 64Mi, or 0 for no limit", o.MemoryLimit)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (o *Options) validateLease() (errs []error) {
	if o.RetryPeriod <= 0 {
		errs = append(errs, fmt.Errorf("--leader-elect-retry-period=%v must be above 0; 2s is usual", o.RetryPeriod))
	}
	if least := time.Duration(leaderelection.JitterFactor * float64(o.RetryPeriod)); o.RenewDeadline <= least {
		errs = append(errs, fmt.Errorf("--leader-elect-renew-deadline=%v must be above %v, 1.2 times --leader-elect-retry-period, or a leader has no second try", o.RenewDeadline, least))
	}
	if o.LeaseDuration <= o.RenewDeadline {
		errs = append(errs, fmt.Errorf("--leader-elect-lease-duration=%v must be longer than --leader-elect-renew-deadline=%v, or two could lead at once", o.LeaseDuration, o.RenewDeadline))
	}
	// The Lease has whole seconds.
	if o.LeaseDuration%time.Second != 0 || o.LeaseDuration < time.Second {
		errs = append(errs, fmt.Errorf("--leader-elect-lease-duration=%v must be whole seconds, at least 1s; the Lease holds no less", o.LeaseDuration))
	}
	return errs
}
