// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// donorPassword is that of the donors' administrators, who have the same names as the
// victims'.
const donorPassword = "the donor's own"

// donor is a server whose data others take over, by backups of it and by clones.
type donor struct {
	rows
	// sum of its rows, which do not change.
	sum string
}

// victim is a unit that faults are tried on, with a way of its own to the store.
type victim struct {
	rows
	e     *environment
	store store
	way   *storeProxy
	// name of the unit.
	name  string
	donor donor
}

// victims of a set with so many units, and its donor. They are on their way: see ready.
func (e *environment) victims(t *testing.T, s store, r rows, set string, units int) []*victim {
	t.Helper()
	d := donor{rows: r}
	r.set, d.set = set, set+"-donor"
	e.createSmallSet(t, v1alpha2.UnitType(r.kind), r.set, r.admin, int32(units), adminPassword)
	e.createSmallSet(t, v1alpha2.UnitType(r.kind), d.set, d.admin, 1, donorPassword)
	var out []*victim
	for i := range units {
		v := &victim{rows: r, e: e, store: s, name: r.unit(i), donor: d}
		v.way = e.way(t, s, v.name)
		out = append(out, v)
	}
	return out
}

// ready waits for the servers, and gives them rows that fill several parts of an upload.
func ready(t *testing.T, victims []*victim) {
	t.Helper()
	first := victims[0]
	first.e.smallSetReady(t, first.donor.set)
	from := *first
	from.name = first.donor.unit(0)
	from.fill(t, 2)
	d := first.donor
	d.sum = from.total(t)
	d.backups(t, first.e)
	first.e.smallSetReady(t, first.set)
	for _, v := range victims {
		v.donor = d
		v.fill(t, 1)
	}
}

// fill a server with a table of some n * 8 MiB.
func (v *victim) fill(t *testing.T, n int) {
	t.Helper()
	v.sql(t, "", v.makeDatabase)
	v.sql(t, "shop", v.makeTable)
	for range n {
		v.sql(t, "shop", v.large)
	}
}

func (v *victim) sql(t *testing.T, database, statement string) string {
	t.Helper()
	return v.e.sql(t, v.kind, v.name, database, statement)
}

// total of its rows.
func (v *victim) total(t *testing.T) string { t.Helper(); return v.sql(t, "shop", v.sum) }

// mark changes the rows, so that they are nobody else's, and returns their sum.
func (v *victim) mark(t *testing.T) string {
	t.Helper()
	v.sql(t, "shop", v.one)
	return v.total(t)
}

// folder of the victim's in the store.
func (v *victim) folder(name string) string {
	return "s3://backups/faults/" + v.name + "/" + name + "/"
}

// to are the parameters of a backup into a folder, as it is, by the victim's way.
func (v *victim) to(folder string) map[string]any {
	return map[string]any{"destination": folder, "destinationSecret": v.way.secret, "compression": "none"}
}

// from are the parameters of a restore.
func (v *victim) from(source string) map[string]any {
	return map[string]any{"source": source, "sourceSecret": v.way.secret, "overwrite": "true"}
}

// start a call.
func (v *victim) start(t *testing.T, action v1alpha1.Action, parameters map[string]any) string {
	t.Helper()
	return v.e.newCall(t, "fault", v.name, v.kind, action, parameters)
}

// backup starts a physical backup into a folder.
func (v *victim) backup(t *testing.T, folder string) string {
	t.Helper()
	return v.start(t, v1alpha1.ActionPhysicalBackup, v.to(folder))
}

// ends waits for the result of a call, and demands one of two honest ones: Success, or
// Failed with a reason and a sentence.
func (v *victim) ends(t *testing.T, call string) (status v1alpha1.GrpcCallStatus, reason string) {
	t.Helper()
	status = v.e.finished(t, call)
	if complete := meta.FindStatusCondition(status.Conditions, "Complete"); complete != nil {
		reason = complete.Reason
	}
	t.Logf("%s: %s %s: %s", call, status.Result, reason, status.Message)
	if status.Result == v1alpha1.ResultFailed && (reason == "" || status.Message == "") || status.CompletionTime == nil {
		t.Errorf("it ends without saying why: %+v", status)
	}
	return status, reason
}

// succeeds waits for the result of a call, and demands Success.
func (v *victim) succeeds(t *testing.T, call string) {
	t.Helper()
	if status, _ := v.ends(t, call); status.Result != v1alpha1.ResultSuccess {
		t.Fatalf("%s has Failed: %s", call, status.Message)
	}
}

// listed are the backups in a folder, as unit-agent backup list finds them. Each must
// be whole, by its sums.
func (v *victim) listed(t *testing.T, folder string) []string {
	t.Helper()
	location, err := backup.ParseLocation(folder)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := backup.Open(t.Context(), location, backup.Credentials{
		Endpoint: v.store.endpoint, Region: "us-east-1", PathStyle: true, AccessKey: v.store.accessKey, SecretKey: v.store.secretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	manifests, bad, err := backup.List(t.Context(), objects, location)
	if err != nil || len(bad) > 0 {
		t.Fatalf("listing %s: %v, unusable: %v", folder, err, bad)
	}
	var names []string
	for _, m := range manifests {
		if _, err := backup.Verify(t.Context(), objects, m, nil, nil); err != nil {
			t.Errorf("%s is listed and not whole: %v", m.Location(), err)
		}
		names = append(names, m.Name())
	}
	return names
}

// tidy demands that nothing lies in a folder but the backups that it lists, and returns
// how many these are.
func (v *victim) tidy(t *testing.T, folder string) int {
	t.Helper()
	names := v.listed(t, folder)
	location, _ := backup.ParseLocation(folder)
	client, err := minio.NewCore(strings.TrimPrefix(v.store.endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(v.store.accessKey, v.store.secretKey, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for o := range client.ListObjectsIter(t.Context(), location.Bucket, minio.ListObjectsOptions{Prefix: location.Folder, Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(o.Key, location.Folder), "/")
		if !slices.Contains(names, strings.TrimSuffix(name, backup.ManifestSuffix)) {
			left = append(left, o.Key)
		}
	}
	uploads, err := client.ListMultipartUploads(t.Context(), location.Bucket, location.Folder, "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		left = append(left, "unfinished upload of "+u.Key)
	}
	if len(left) > 0 {
		t.Errorf("beside the backups %v of %s there are %v", names, folder, left)
	}
	return len(names)
}

// honest demands of a backup that has ended that it is listed if and only if it is a
// Success, and that the next one into the same folder succeeds and removes what this
// one has left.
func (v *victim) honest(t *testing.T, call, folder string) v1alpha1.GrpcCallStatus {
	t.Helper()
	status, _ := v.ends(t, call)
	want := 0
	if status.Result == v1alpha1.ResultSuccess {
		want = 1
	}
	if names := v.listed(t, folder); len(names) != want {
		t.Errorf("%s, and listed are %v", status.Result, names)
	}
	v.afterwards(t, folder, want)
	return status
}

// afterwards a backup into the folder succeeds, and removes what others have left.
func (v *victim) afterwards(t *testing.T, folder string, before int) {
	t.Helper()
	v.succeeds(t, v.backup(t, folder))
	if n := v.tidy(t, folder); n != before+1 {
		t.Errorf("%d backups are listed after another one, want %d", n, before+1)
	}
}

// unchanged demands the rows, from a server that serves.
func (v *victim) unchanged(t *testing.T, want string) {
	t.Helper()
	v.serves(t)
	eventually(t, 2*time.Minute, v.name+" to serve", func(ctx context.Context) error {
		return v.e.unitPhase(ctx, opsNamespace, v.name, v1alpha2.UnitReady)
	})
	if d := cmp.Diff(want, v.total(t)); d != "" {
		t.Errorf("the rows of %s sum up to something else (-want +got):\n%s", v.name, d)
	}
}

// accounts demands that the administrator logs in with the unit's password, over the
// network, and not with the donor's.
func (v *victim) accounts(t *testing.T) {
	t.Helper()
	login := func(ctx context.Context, password string) (string, error) {
		if v.kind == v1alpha1.UnitTypePostgreSQL {
			return v.e.psql(ctx, opsNamespace, v.name, v.host(), "5432", v.admin, password, "SELECT 1")
		}
		return v.e.mysql(ctx, opsNamespace, v.name, "mysql", v.host(), "3306", v.admin, password, "SELECT 1")
	}
	// Its name leads to a new pod a moment after that is Ready.
	eventually(t, patience, v.name+" to take its own administrator's password", func(ctx context.Context) error {
		out, err := login(ctx, adminPassword)
		if err == nil && strings.TrimSpace(out) != "1" {
			err = fmt.Errorf("it answers %q", out)
		}
		return err
	})
	if _, err := login(t.Context(), donorPassword); err == nil {
		t.Errorf("%s takes the password of the donor's administrator", v.name)
	}
}

// host is the name of the unit for others.
func (v *victim) host() string {
	return fmt.Sprintf("%s.%s-headless-svc.%s", v.name, v.set, opsNamespace)
}

// uid of a call, which is the id of its operation.
func (v *victim) uid(t *testing.T, call string) string {
	t.Helper()
	c, err := v.e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Get(t.Context(), call, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(c.UID)
}
