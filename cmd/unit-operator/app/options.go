// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"flag"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// Options are the flags. docs/configuration.md explains each.
type Options struct {
	Kubeconfig        string
	OperatorNamespace string
	Namespaces        []string
	KubeAPIQPS        float32
	KubeAPIBurst      int

	AgentImage    string
	AgentDial     string
	ClusterDomain string

	ConcurrentUnitSetSyncs  int
	ConcurrentUnitSyncs     int
	ConcurrentGrpcCallSyncs int
	// ConcurrentMysqlReplicationSyncs and ConcurrentPostgresReplicationSyncs bound syncs;
	// passes over members have workers of their own.
	ConcurrentMysqlReplicationSyncs    int
	ConcurrentPostgresReplicationSyncs int

	LeaderElect   bool
	LeaseDuration time.Duration
	RenewDeadline time.Duration
	RetryPeriod   time.Duration

	HTTPAddress string
	Profiling   bool
	MemoryLimit string
}

// The ways of --agent-dial.
const (
	dialAuto        = "auto"
	dialPodIP       = "pod-ip"
	dialPortForward = "port-forward"
)

// NewOptions are the defaults.
func NewOptions() *Options {
	return &Options{
		OperatorNamespace:                  "upm-system",
		KubeAPIQPS:                         100,
		KubeAPIBurst:                       200,
		AgentDial:                          dialAuto,
		ClusterDomain:                      "cluster.local",
		ConcurrentUnitSetSyncs:             16,
		ConcurrentUnitSyncs:                16,
		ConcurrentGrpcCallSyncs:            8,
		ConcurrentMysqlReplicationSyncs:    4,
		ConcurrentPostgresReplicationSyncs: 4,
		LeaderElect:                        true,
		LeaseDuration:                      15 * time.Second,
		RenewDeadline:                      10 * time.Second,
		RetryPeriod:                        2 * time.Second,
		HTTPAddress:                        ":8081",
		MemoryLimit:                        "64Mi",
	}
}

// section is a part of the help.
type section struct {
	title string
	flags *pflag.FlagSet
}

// sections are the flags as people read them.
func (o *Options) sections() []section {
	make1 := func(title string, add func(*pflag.FlagSet)) section {
		flags := pflag.NewFlagSet(title, pflag.ContinueOnError)
		flags.SortFlags = false
		add(flags)
		return section{title, flags}
	}
	return []section{
		make1("Cluster", func(f *pflag.FlagSet) {
			f.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "kubeconfig `FILE` of the cluster. Without it: $KUBECONFIG, else the service account of the pod it runs in, else ~/.kube/config")
			f.StringVar(&o.OperatorNamespace, "operator-namespace", o.OperatorNamespace, "`NAMESPACE` of the packages, the agents' CA and the lease. It must exist")
			f.StringSliceVar(&o.Namespaces, "namespaces", o.Namespaces, "comma-separated `NAMESPACES` to serve; all if empty. Each needs a RoleBinding, see docs/configuration.md")
			f.Float32Var(&o.KubeAPIQPS, "kube-api-qps", o.KubeAPIQPS, "requests per second to the API server, watches, events and the lease aside")
			f.IntVar(&o.KubeAPIBurst, "kube-api-burst", o.KubeAPIBurst, "requests to the API server that may be sent at once")
		}),
		make1("Units", func(f *pflag.FlagSet) {
			f.StringVar(&o.AgentImage, "agent-image", o.AgentImage, "`IMAGE` of unit-agent that new pods get (required). Pods that run keep theirs: a new image restarts nothing")
			f.StringVar(&o.AgentDial, "agent-dial", o.AgentDial, "how agents are reached: pod-ip; port-forward (through the API server); auto = pod-ip in the cluster, out of it pod-ip and where that fails port-forward")
			f.StringVar(&o.ClusterDomain, "cluster-domain", o.ClusterDomain, "`DOMAIN` of the cluster's DNS")
			f.IntVar(&o.ConcurrentUnitSetSyncs, "concurrent-unitset-syncs", o.ConcurrentUnitSetSyncs, "UnitSets worked on at a time")
			f.IntVar(&o.ConcurrentUnitSyncs, "concurrent-unit-syncs", o.ConcurrentUnitSyncs, "Units worked on at a time")
			f.IntVar(&o.ConcurrentGrpcCallSyncs, "concurrent-grpccall-syncs", o.ConcurrentGrpcCallSyncs, "GrpcCalls worked on at a time. However many run, a worker is with one for a moment only")
			f.IntVar(&o.ConcurrentMysqlReplicationSyncs, "concurrent-mysqlreplication-syncs", o.ConcurrentMysqlReplicationSyncs, "MysqlReplications whose objects are worked on at a time. Their servers have workers of their own")
			f.IntVar(&o.ConcurrentPostgresReplicationSyncs, "concurrent-postgresreplication-syncs", o.ConcurrentPostgresReplicationSyncs, "PostgresReplications whose objects are worked on at a time. Their servers have workers of their own")
		}),
		make1("Leader election", func(f *pflag.FlagSet) {
			f.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "work only while holding the Lease unit-operator of the operator's namespace. Turn it off only where nothing else can run a second one")
			f.DurationVar(&o.LeaseDuration, "leader-elect-lease-duration", o.LeaseDuration, "how long the others wait after the last renewal of a leader that vanished")
			f.DurationVar(&o.RenewDeadline, "leader-elect-renew-deadline", o.RenewDeadline, "how long a leader tries to renew before it gives up and exits with status 1")
			f.DurationVar(&o.RetryPeriod, "leader-elect-retry-period", o.RetryPeriod, "time between two tries to get or renew the lease")
		}),
		make1("Process", func(f *pflag.FlagSet) {
			f.StringVar(&o.HTTPAddress, "http-address", o.HTTPAddress, "`ADDRESS` of /healthz, /readyz and /metrics (no TLS)")
			f.BoolVar(&o.Profiling, "profiling", o.Profiling, "serve /debug/pprof there too")
			f.StringVar(&o.MemoryLimit, "memory-limit", o.MemoryLimit, "memory the Go runtime tries to stay below, e.g. 64Mi; 0 for none. $GOMEMLIMIT wins over it. Raise it above 1,000 UnitSets")
			logging := flag.NewFlagSet("klog", flag.ContinueOnError)
			klog.InitFlags(logging)
			for name, usage := range map[string]string{
				"v":       "how much to log: 0 what an administrator must know, 2 every change made, 4 every sync, 6 every API request",
				"vmodule": "comma-separated file=N: another -v for single source files",
			} {
				logging.Lookup(name).Usage = usage
			}
			f.AddGoFlag(logging.Lookup("v"))
			f.AddGoFlag(logging.Lookup("vmodule"))
		}),
	}
}

// watched are the namespaces for informers.
func (o *Options) watched() []string {
	if len(o.Namespaces) == 0 {
		return slim.AllNamespaces
	}
	return o.Namespaces
}
