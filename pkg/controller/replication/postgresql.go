// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"slices"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/replication/postgresql"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// PostgresControllerName is the name of the controller of PostgresReplications: of its
// queue, in logs and in metrics.
const PostgresControllerName = "postgresreplication"

// NewPostgresController makes the controller of PostgresReplications and hooks it to the
// informers, which must not have been started.
func NewPostgresController(ctx context.Context, cfg Config) (*Controller, error) {
	return newController(ctx, cfg, &postgresKind, objectsOf[*v1alpha1.PostgresReplication]{
		Informer: cfg.PostgresReplications, members: slim.PostgresMembers(), view: viewPostgres,
		Kind: child.Kind{Name: membership.KindPostgres, Resource: v1alpha1.Resource("postgresreplications")},
		client: func(namespace string) child.Client[*v1alpha1.PostgresReplication] {
			return cfg.Upm.UpmV1alpha1().PostgresReplications(namespace)
		},
		status: func(s Status) any { return postgresStatus(s) },
	})
}

var postgresKind = kind{
	GroupVersionKind: replicationKind(membership.KindPostgres), controller: PostgresControllerName, log: "postgresReplication",
	unitType: v1alpha2.UnitTypePostgreSQL, engine: worker.PostgreSQL(), replicas: "standbys",
	sync: string(v1alpha1.PostgresReplicationSync), manager: agentclient.PurposePostgres,
	healthy: postgresql.Healthy,
	blocked: []topology.State{
		postgresql.Uninitialised, postgresql.SourceLostData, postgresql.SourceStoppedByUser, postgresql.SourceFailed, postgresql.WritesBlocked,
	},
	degraded: []topology.State{postgresql.SplitBrain, postgresql.SourceUnreachable, postgresql.SyncDegraded, postgresql.Provisioning, postgresql.Degraded},
	server: func(o *agentclient.Observation) []any {
		p := o.PostgreSQL
		if p == nil {
			return nil
		}
		parts := []any{p.InRecovery, p.Timeline, p.SynchronousStandbyNames}
		for _, s := range p.Standbys {
			// How far it is changes with each transaction.
			parts = append(parts, s.ApplicationName, s.State, s.SyncState)
		}
		for _, s := range p.Slots {
			parts = append(parts, s.Name, s.Active, s.WALStatus)
		}
		return parts
	},
	position: func(o *agentclient.Observation) (any, bool) {
		if o.PostgreSQL == nil || o.PostgreSQL.InRecovery {
			return nil, false
		}
		written, err := wal.ParseLSN(o.PostgreSQL.WriteLSN)
		if err != nil {
			return nil, false
		}
		return wal.Position{Timeline: wal.Timeline(o.PostgreSQL.Timeline), LSN: written}, len(o.PostgreSQL.Standbys) > 0
	},
}

func viewPostgres(r *v1alpha1.PostgresReplication) owner {
	spec := &r.Spec
	out := &Replication{ObjectMeta: r.ObjectMeta, Kind: &postgresKind, Status: statusOfPostgres(&r.Status), Spec: Spec{
		Mode:   string(spec.Mode),
		Secret: v1alpha1.AcceptedSecret{Name: spec.Secret.Name, Manager: spec.Secret.Postgres, Replication: spec.Secret.Replication},
		Source: v1alpha1.MysqlReplicationMember(spec.Primary), UnitSet: spec.UnitSet,
		Failover: spec.Failover, Durability: spec.Durability, Service: spec.Service, AESSecret: spec.AESSecret,
	}}
	for _, m := range spec.Standby {
		out.Spec.Replicas = append(out.Spec.Replicas, v1alpha1.MysqlReplicaMember{
			MysqlReplicationMember: v1alpha1.MysqlReplicationMember(m.PostgresReplicationMember), Isolated: m.Isolated, DelaySeconds: m.DelaySeconds,
		})
	}
	return out
}

// Roles of members in the status of a PostgresReplication, and in general.
var (
	rolesOfPostgres = map[string]string{"primary": v1alpha2.RoleSource, "standby": v1alpha2.RoleReplica}
	postgresRoles   = map[string]string{v1alpha2.RoleSource: "primary", v1alpha2.RoleReplica: "standby"}
)

// renamed are members whose roles have other names.
func renamed(members []v1alpha1.ReplicationMemberStatus, names map[string]string) []v1alpha1.ReplicationMemberStatus {
	out := slices.Clone(members)
	for i := range out {
		if name, ok := names[out[i].Role]; ok {
			out[i].Role = name
		}
	}
	return out
}

func statusOfPostgres(s *v1alpha1.PostgresReplicationStatus) Status {
	return Status{
		CurrentSource: s.CurrentPrimary, Epoch: s.Epoch, AcceptedGeneration: s.AcceptedGeneration, Accepted: s.Accepted,
		Data: s.Data, Durability: s.Durability, Operation: s.Operation, LastTransition: s.LastTransition, Endpoints: s.Endpoints,
		Replicas: s.Standbys, ReadyReplicas: s.ReadyStandbys, Lag: s.Lag, Topology: renamed(s.Topology, rolesOfPostgres),
		ObservedGeneration: s.ObservedGeneration, Conditions: s.Conditions,
	}
}

func postgresStatus(s Status) v1alpha1.PostgresReplicationStatus {
	return v1alpha1.PostgresReplicationStatus{
		CurrentPrimary: s.CurrentSource, Epoch: s.Epoch, AcceptedGeneration: s.AcceptedGeneration, Accepted: s.Accepted,
		Data: s.Data, Durability: s.Durability, Operation: s.Operation, LastTransition: s.LastTransition, Endpoints: s.Endpoints,
		Standbys: s.Replicas, ReadyStandbys: s.ReadyReplicas, Lag: s.Lag, Topology: renamed(s.Topology, postgresRoles),
		ObservedGeneration: s.ObservedGeneration, Conditions: s.Conditions,
	}
}
