// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/operation"
)

// entry is a manifest of one day.
func entry(id string, day int, base *Manifest) *Manifest {
	at := day0.AddDate(0, 0, day)
	m := &Manifest{Version: Version, ID: id, Meta: testMeta(Physical), Created: at, Completed: at.Add(time.Minute), Compression: operation.Zstd}
	m.location = Location{Folder: "f/", Name: id}
	if base != nil {
		m.Type, m.Base = operation.Incremental, base.AsBase()
	}
	return m
}

func TestWhatExpiresIsNeverNeeded(t *testing.T) {
	foreign := func(m *Manifest, change func(*Manifest)) *Manifest { change(m); return m }
	full := func(id string, day int) *Manifest { return entry(id, day, nil) }
	f1, f2 := full("f1", 1), full("f2", 2)
	i3, i4 := entry("i3", 3, f2), full("f4", 4)
	i4on3 := entry("i4", 4, i3)
	for name, test := range map[string]struct {
		all    []*Manifest
		wanted []string
		before int // day
		want   []string
	}{
		"nothing is old":                          {[]*Manifest{f1, f2}, nil, 1, nil},
		"the old ones go":                         {[]*Manifest{f1, f2, i4}, nil, 4, []string{"f2", "f1"}},
		"the last good one stays, however old":    {[]*Manifest{f1, f2}, nil, 90, []string{"f1"}},
		"the base of a kept one stays":            {[]*Manifest{f2, i3, i4on3, i4}, nil, 4, nil},
		"the last good chain stays as a whole":    {[]*Manifest{f1, f2, i3}, nil, 90, []string{"f1"}},
		"a chain goes from its end":               {[]*Manifest{f2, i3, i4on3, full("f9", 9)}, nil, 8, []string{"i4", "i3", "f2"}},
		"the end goes before the base of another": {[]*Manifest{f2, i3, entry("i9", 9, f2)}, nil, 8, []string{"i3"}},
		"a broken chain is not the last good one": {[]*Manifest{f1, entry("lost", 5, full("gone", 4))}, nil, 90, []string{"lost"}},
		"the base of one that is being made stays": {
			[]*Manifest{f1, full("f9", 9)}, []string{"f1"}, 8, nil,
		},
		"another cluster's, namespace's, set's and kind's stay": {[]*Manifest{
			foreign(full("c", 1), func(m *Manifest) { m.Cluster = "c2" }),
			foreign(full("n", 1), func(m *Manifest) { m.Namespace = "other" }),
			foreign(full("s", 1), func(m *Manifest) { m.Set = "other" }),
			foreign(full("k", 1), func(m *Manifest) { m.Kind = Logical }),
			foreign(full("e", 1), func(m *Manifest) { m.Cluster = "" }),
			full("f9", 9),
		}, nil, 8, nil},
		"another's newer one does not count as the last good one": {[]*Manifest{
			f1, foreign(full("s", 9), func(m *Manifest) { m.Set = "other" }),
		}, nil, 90, nil},
		"a circle ends": {[]*Manifest{
			foreign(full("a", 1), func(m *Manifest) { m.Base = &Base{ID: "b", Name: "b"} }),
			foreign(full("b", 2), func(m *Manifest) { m.Base = &Base{ID: "a", Name: "a"} }),
			full("f9", 9),
		}, nil, 8, []string{"b", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, m := range expired(test.all, testMeta(Physical).Scope, test.wanted, day0.AddDate(0, 0, test.before)) {
				got = append(got, m.ID)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("expired (-want +got):\n%s", d)
			}
		})
	}
}

func TestPruneKeepsTheBaseOfABackupThatIsBeingMade(t *testing.T) {
	store, l := folder(t)
	at := func(day int) func() time.Time { return func() time.Time { return day0.AddDate(0, 0, day) } }
	old := take(t, CreateOptions{Store: store, Location: l, Meta: testMeta(Physical), Now: at(0)}, nil)
	meta := testMeta(Physical)
	meta.Unit, meta.Type, meta.Base = "orders-1", operation.Incremental, old.AsBase()
	running := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: meta, Now: at(9)}))(t)
	take(t, CreateOptions{Store: store, Location: l, Meta: testMeta(Physical), Now: at(9)}, nil)
	prune := PruneOptions{Store: store, Location: l, Scope: old.Scope, Unit: "orders-0", Retention: 24 * time.Hour, Now: at(9)()}
	if removed := must(Prune(t.Context(), prune))(t); len(removed) > 0 {
		t.Errorf("pruned %v", removed)
	}
	if err := running.Abort(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{old.Name()}, must(Prune(t.Context(), prune))(t)); d != "" {
		t.Errorf("pruned after that (-want +got):\n%s", d)
	}
	prune.Retention = 0
	if removed := must(Prune(t.Context(), prune))(t); len(removed) > 0 {
		t.Errorf("without retention, pruned %v", removed)
	}
}

func TestABackupWhoseBaseIsGoneDoesNotComeToBe(t *testing.T) {
	store, l := folder(t)
	base := take(t, CreateOptions{Store: store, Location: l, Meta: testMeta(Physical), Now: func() time.Time { return day0 }}, nil)
	meta := testMeta(Physical)
	meta.Type, meta.Base = operation.Incremental, base.AsBase()
	next := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: meta}))(t)
	defer next.Abort()
	if err := store.Delete(t.Context(), manifestKey(base.Location())); err != nil {
		t.Fatal(err)
	}
	_, err := next.Commit(t.Context())
	wantReason(t, err, ReasonChain, base.Name())
	if _, err := readManifest(t.Context(), store, next.Location()); ReasonOf(err) != ReasonNotFound {
		t.Errorf("it is there: %v", err)
	}
}

func TestAFolderKeepsTheChainsOfBothKindsApart(t *testing.T) {
	store, l := folder(t)
	next := func(kind Kind, day int, base *Manifest) *Manifest {
		meta := testMeta(kind)
		if base != nil {
			meta.Type, meta.Base = operation.Incremental, base.AsBase()
		}
		return take(t, CreateOptions{Store: store, Location: l, Meta: meta, Now: func() time.Time { return day0.AddDate(0, 0, day) }}, nil)
	}
	full := next(Logical, 0, nil)
	next(Physical, 1, nil)
	tip := next(Logical, 2, full)
	if m, err := Find(t.Context(), store, l, Scope{}); err != nil || m.ID != tip.ID {
		t.Errorf("the folder means %v, want the newest link %s (%v)", m, tip.Name(), err)
	}
	prune := PruneOptions{Store: store, Location: l, Scope: full.Scope, Unit: full.Unit, Retention: 24 * time.Hour, Now: day0.AddDate(0, 0, 9)}
	if removed := must(Prune(t.Context(), prune))(t); len(removed) > 0 {
		t.Errorf("pruned the last chain: %v", removed)
	}
	next(Logical, 9, nil)
	if d := cmp.Diff([]string{tip.Name(), full.Name()}, must(Prune(t.Context(), prune))(t)); d != "" {
		t.Errorf("pruned (-want +got):\n%s", d)
	}
}

func TestFindTakesFolderNameManifestAndFile(t *testing.T) {
	store, l := folder(t)
	own := testMeta(Logical)
	at := func(day int) func() time.Time { return func() time.Time { return day0.AddDate(0, 0, day) } }
	files := map[string][]byte{"dump.sql": []byte("x")}
	first := take(t, CreateOptions{Store: store, Location: l, Meta: own, Now: at(1)}, files)
	second := take(t, CreateOptions{Store: store, Location: l, Meta: own, Now: at(2)}, files)
	named := l
	named.Name = "backup-20240101.tar.gz"
	third := take(t, CreateOptions{Store: store, Location: named, Meta: own, Now: at(0)}, files)
	foreign := own
	foreign.Set, foreign.Unit = "carts", "carts-0"
	take(t, CreateOptions{Store: store, Location: l, Meta: foreign, Now: at(3)}, files)
	if err := store.Put(t.Context(), l.Folder+"other"+ManifestSuffix, strings.NewReader(`{"schemaVersion":2}`)); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]*Manifest{
		l.String():                                  second,
		strings.TrimSuffix(l.String(), "/"):         second,
		first.Location().String():                   first,
		first.Location().String() + "/":             first,
		first.Location().String() + "/dump.sql.zst": first,
		first.Location().String() + ManifestSuffix:  first,
		third.Location().String():                   third,
	} {
		m, err := Find(t.Context(), store, must(ParseLocation(source))(t), own.Scope)
		if err != nil || m.ID != want.ID {
			t.Errorf("%s: %v, want %s (%v)", source, m, want.Name(), err)
		}
	}
	stranger := own.Scope
	stranger.Set = "new"
	_, err := Find(t.Context(), store, l, stranger)
	wantReason(t, err, ReasonAmbiguous, "holds backups of several sets, none of shop/new")
	_, err = Find(t.Context(), store, must(ParseLocation(l.String()+"missing"))(t), own.Scope)
	wantReason(t, err, ReasonNotFound, "holds no complete backup")
	_, err = Find(t.Context(), store, must(ParseLocation(l.String()+"other"))(t), own.Scope)
	wantReason(t, err, ReasonManifest, "it has no version")
}

func TestAnotherSetMayRestoreFromAFolderOfOneSet(t *testing.T) {
	store, l := folder(t)
	m := take(t, CreateOptions{Store: store, Location: l, Meta: testMeta(Logical)}, nil)
	got, err := Find(t.Context(), store, l, Scope{Cluster: "new", Namespace: "new", Set: "new"})
	if err != nil || got.ID != m.ID {
		t.Errorf("found %v, %v", got, err)
	}
}

func TestAChainIsWholeOrAnError(t *testing.T) {
	store, l := folder(t)
	at := func(name string) Location { l := l; l.Name = name; return l }
	next := func(name string, base *Manifest) *Manifest {
		meta := testMeta(Physical)
		if base != nil {
			meta.Type, meta.Base = operation.Incremental, base.AsBase()
		}
		return take(t, CreateOptions{Store: store, Location: at(name), Meta: meta}, nil)
	}
	full := next("full", nil)
	one := next("one", full)
	two := next("two", one)
	var names []string
	for _, m := range must(Chain(t.Context(), store, two))(t) {
		names = append(names, m.Name())
	}
	if d := cmp.Diff([]string{"full", "one", "two"}, names); d != "" {
		t.Errorf("chain (-want +got):\n%s", d)
	}
	store.Delete(t.Context(), full.key())
	_, err := Chain(t.Context(), store, two)
	wantReason(t, err, ReasonChain, "/one continues full, which is not there")
	next("full", nil)
	_, err = Chain(t.Context(), store, two)
	wantReason(t, err, ReasonChain, "/one continues another one than what is called full now")
}

func TestLocationsAreParsedAndRefused(t *testing.T) {
	for s, want := range map[string]Location{
		"s3://b":                  {Bucket: "b"},
		"s3://b/":                 {Bucket: "b"},
		"s3://b/mysql/":           {Bucket: "b", Folder: "mysql/"},
		"s3://b/mysql/x.tar.gz":   {Bucket: "b", Folder: "mysql/", Name: "x.tar.gz"},
		"file:///backup/a/":       {Folder: "backup/a/"},
		"file:///backup":          {Name: "backup"},
		"file:///backup/nightly1": {Folder: "backup/", Name: "nightly1"},
	} {
		if got, err := ParseLocation(s); err != nil || got != want {
			t.Errorf("%s is %+v, want %+v (%v)", s, got, want, err)
		}
	}
	for _, s := range []string{"", "b/x", "http://b/x", "file://host/x", "s3:///x", "s3://key:secret@b/x", "s3://b//x", "s3://b/../x", "file:///a/./b"} {
		if _, err := ParseLocation(s); ReasonOf(err) != ReasonInvalid || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error is %v", s, err)
		}
	}
}

func FuzzManifests(f *testing.F) {
	good := entry("id", 1, nil)
	good.Files = []File{{Name: "a/b", Size: 1, SHA256: strings.Repeat("0", 64), Stored: 1, StoredSHA256: strings.Repeat("0", 64), Objects: 2}}
	raw, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, change := range [][2]string{
		{`"a/b"`, `"../b"`}, {`"a/b"`, `"/etc/passwd"`}, {`"objects":2`, `"objects":-1`}, {`"objects":2`, `"objects":999999999`},
		{`"size":1`, `"size":-1`}, {`"version":1`, `"version":2`}, {`"zstd"`, `"lzma"`}, {`"full"`, `"incremental"`}, {`"physical"`, `"other"`},
	} {
		bad := strings.Replace(string(raw), change[0], change[1], 1)
		if bad == string(raw) {
			f.Fatalf("%s is not in %s", change[0], raw)
		}
		if _, err := DecodeManifest([]byte(bad), good.location); ReasonOf(err) != ReasonManifest {
			f.Errorf("with %s: error is %v", change[1], err)
		}
		f.Add([]byte(bad))
	}
	if _, err := DecodeManifest(raw, good.location); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := DecodeManifest(raw, good.location)
		if err != nil {
			if ReasonOf(err) != ReasonManifest {
				t.Errorf("error is %v", err)
			}
			return
		}
		for i := range m.Files {
			for _, key := range m.objectKeys(&m.Files[i]) {
				if !strings.HasPrefix(key, "f/id/") || slices.Contains(strings.Split(key, "/"), "..") {
					t.Errorf("an object is at %q", key)
				}
			}
		}
	})
}
