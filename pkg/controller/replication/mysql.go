// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// MysqlControllerName is the name of the controller of MysqlReplications: of its queue, in logs and
// in metrics.
const MysqlControllerName = "mysqlreplication"

// NewMysqlController makes the controller of MysqlReplications and hooks it to the informers, which
// must not have been started.
func NewMysqlController(ctx context.Context, cfg Config) (*Controller, error) {
	return newController(ctx, cfg, &mysqlKind, objectsOf[*v1alpha1.MysqlReplication]{
		Informer: cfg.MysqlReplications, members: slim.MysqlMembers(), view: viewMysql,
		Kind: child.Kind{Name: membership.KindMysql, Resource: v1alpha1.Resource("mysqlreplications")},
		client: func(namespace string) child.Client[*v1alpha1.MysqlReplication] {
			return cfg.Upm.UpmV1alpha1().MysqlReplications(namespace)
		},
		status: func(s Status) any { return s },
	})
}

var mysqlKind = kind{
	GroupVersionKind: replicationKind(membership.KindMysql), controller: MysqlControllerName, log: "mysqlReplication",
	unitType: v1alpha2.UnitTypeMySQL, engine: worker.MySQL(), replicas: "replicas",
	sync: string(v1alpha1.MysqlReplicationSemiSync), group: string(v1alpha1.MysqlReplicationGroup), manager: agentclient.PurposeMySQL,
	healthy: mysql.Healthy,
	blocked: []topology.State{
		mysql.Uninitialised, mysql.SourceInOperation, mysql.SourceLostData, mysql.SourceStoppedByUser, mysql.SourceFailed, mysql.WritesBlocked,
	},
	degraded: []topology.State{mysql.SplitBrain, mysql.SourceUnreachable, mysql.SemiSyncDegraded, mysql.Provisioning, mysql.Degraded},
	server: func(o *agentclient.Observation) []any {
		if m := o.MySQL; m != nil {
			return []any{m.DumpThreads, m.SemiSync, m.SuperReadOnly}
		}
		return nil
	},
	position: func(o *agentclient.Observation) (any, bool) {
		if o.MySQL == nil {
			return nil, false
		}
		executed, err := gtid.Parse(o.MySQL.Executed)
		if err != nil {
			return nil, false
		}
		return executed, o.MySQL.SemiSync.Clients > 0 || len(o.MySQL.DumpThreads) > 0
	},
}

func viewMysql(r *v1alpha1.MysqlReplication) owner {
	spec := &r.Spec
	return &Replication{ObjectMeta: r.ObjectMeta, Kind: &mysqlKind, Status: r.Status, Spec: Spec{
		Mode:   string(spec.Mode),
		Secret: v1alpha1.AcceptedSecret{Name: spec.Secret.Name, Manager: spec.Secret.Mysql, Replication: spec.Secret.Replication},
		Source: spec.Source, Replicas: spec.Replica, UnitSet: spec.UnitSet,
		Failover: spec.Failover, Durability: spec.Durability, Service: spec.Service, AESSecret: spec.AESSecret,
	}}
}
