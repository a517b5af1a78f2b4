// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/operation"
)

var (
	testKey  = bytes.Repeat([]byte{7}, KeySize)
	otherKey = bytes.Repeat([]byte{8}, KeySize)
	day0     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func testMeta(kind Kind) Meta {
	return Meta{
		Scope: Scope{Cluster: "c1", Namespace: "shop", Set: "orders", Kind: kind},
		Unit:  "orders-0", Type: operation.Full, Engine: "mysql", EngineVersion: "8.4.6",
	}
}

// folder is an empty destination on disk.
func folder(t *testing.T) (Store, Location) {
	t.Helper()
	l := must(ParseLocation("file://" + t.TempDir() + "/backups/"))(t)
	return must(Open(t.Context(), l, Credentials{}))(t), l
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// content is neither all noise nor all alike.
func content(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	for at := 0; at < size; at += 1024 {
		r.Read(b[at:min(at+512, size)])
	}
	return b
}

// take makes a backup of files.
func take(t *testing.T, o CreateOptions, files map[string][]byte) *Manifest {
	t.Helper()
	if o.Compression == "" {
		o.Compression = operation.Zstd
	}
	w := must(Create(t.Context(), o))(t)
	defer w.Abort()
	for name, data := range files {
		f := must(w.File(name))(t)
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return must(w.Commit(t.Context()))(t)
}

// keys in a store below a folder.
func keys(t *testing.T, store Store, l Location) []string {
	t.Helper()
	var out []string
	for _, o := range must(store.List(t.Context(), l.Folder, true))(t) {
		out = append(out, strings.TrimPrefix(o.Key, l.Folder))
	}
	slices.Sort(out)
	return out
}

func wantReason(t *testing.T, err error, reason, text string) {
	t.Helper()
	if err == nil || ReasonOf(err) != reason || !strings.Contains(err.Error(), text) {
		t.Fatalf("error is %v (%s), want reason %s and %q in it", err, ReasonOf(err), reason, text)
	}
}

func TestABackupReadsBackAsItWasWritten(t *testing.T) {
	files := map[string][]byte{"empty": nil, "one": []byte("x"), "dir/large.sql": content(1, 3<<20+5)}
	for _, compression := range []operation.Compression{operation.Zstd, operation.Gzip, operation.Bzip2, operation.NoCompression} {
		for name, key := range map[string][]byte{"plain": nil, "encrypted": testKey} {
			t.Run(string(compression)+" "+name, func(t *testing.T) {
				store, l := folder(t)
				// Small objects, so that a file has several.
				written := take(t, CreateOptions{Store: store, Location: l, Compression: compression, Key: key, Meta: testMeta(Logical), objectSize: 1 << 20}, files)
				m := must(Find(t.Context(), store, l, Scope{}))(t)
				if d := cmp.Diff(written, m, cmp.AllowUnexported(Manifest{})); d != "" {
					t.Errorf("the manifest read is not the one written (-written +read):\n%s", d)
				}
				if n := m.File("dir/large.sql").Objects; n < 2 {
					t.Errorf("the large file has %d objects, want several", n)
				}
				for file, want := range files {
					r := must(m.Open(t.Context(), store, file, key))(t)
					got := must(io.ReadAll(r))(t)
					if !bytes.Equal(got, want) {
						t.Errorf("%s differs after %d of %d bytes", file, len(got), len(want))
					}
					if f := m.File(file); f.Size != int64(len(want)) {
						t.Errorf("%s counts %d bytes, want %d", file, f.Size, len(want))
					}
					r.Close()
				}
				v := must(Verify(t.Context(), store, m, key, nil))(t)
				if d := cmp.Diff(Verified{Files: 3, Bytes: m.Size(), Content: true}, v); d != "" {
					t.Errorf("verified (-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestABackupOfAnyNumberOfThreadsReadsBack(t *testing.T) {
	// Larger than what the threads have sections of.
	want := content(2, 7<<20+7)
	for _, compression := range []operation.Compression{operation.Zstd, operation.Gzip} {
		for _, threads := range []int{1, 2, 64} {
			store, l := folder(t)
			m := take(t, CreateOptions{Store: store, Location: l, Compression: compression, Parallel: threads, Meta: testMeta(Physical)}, map[string][]byte{"data.tar": want})
			r := must(m.Open(t.Context(), store, "data.tar", nil))(t)
			if got := must(io.ReadAll(r))(t); !bytes.Equal(got, want) {
				t.Errorf("%s by %d threads differs", compression, threads)
			}
			r.Close()
			if m.File("data.tar").Stored > int64(len(want))*3/4 {
				t.Errorf("%s by %d threads does not compress: %d of %d bytes", compression, threads, m.File("data.tar").Stored, len(want))
			}
		}
	}
}

func TestEncryptedBackupsHoldNoPlainText(t *testing.T) {
	store, l := folder(t)
	secret := []byte("a very particular sentence")
	m := take(t, CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Key: testKey, Meta: testMeta(Logical)}, map[string][]byte{"f": secret})
	for _, o := range must(store.List(t.Context(), l.Folder, true))(t) {
		raw := must(readSmall(t.Context(), store, o.Key))(t)
		if bytes.Contains(raw, secret) || bytes.Contains(raw, testKey) {
			t.Errorf("%s holds plain text or the key", o.Key)
		}
	}
	_, err := m.Open(t.Context(), store, "f", otherKey)
	wantReason(t, err, ReasonKey, "is encrypted with the key with id "+KeyID(testKey)+"; the one that was given has id "+KeyID(otherKey))
	_, err = m.Open(t.Context(), store, "f", nil)
	wantReason(t, err, ReasonKey, "wants the key with id "+KeyID(testKey))
	v := must(Verify(t.Context(), store, m, nil, nil))(t)
	if v.Content || v.Bytes != m.Stored() {
		t.Errorf("verified without the key: %+v, want the %d stored bytes only", v, m.Stored())
	}
}

func TestDamageIsFoundBeforeTheEnd(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"a flipped bit": func(p string) error {
			raw, err := os.ReadFile(p)
			raw[len(raw)/2] ^= 1
			return errors.Join(err, os.WriteFile(p, raw, 0o600))
		},
		"a missing end": func(p string) error { return os.Truncate(p, 1000) },
		"something more": func(p string) error {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			_, err2 := f.WriteString("x")
			return errors.Join(err, err2, f.Close())
		},
		"no file": os.Remove,
	} {
		for _, compression := range []operation.Compression{operation.Zstd, operation.Gzip, operation.Bzip2, operation.NoCompression} {
			for _, key := range [][]byte{nil, testKey} {
				t.Run(name+" "+string(compression), func(t *testing.T) {
					store, l := folder(t)
					m := take(t, CreateOptions{Store: store, Location: l, Compression: compression, Key: key, Meta: testMeta(Logical)}, map[string][]byte{"f": content(2, 20000)})
					if err := damage("/" + m.objectKeys(m.File("f"))[0]); err != nil {
						t.Fatal(err)
					}
					_, err := Verify(t.Context(), store, m, key, nil)
					wantReason(t, err, ReasonCorrupt, "file f of the backup "+m.Location().String()+" is damaged")
					_, err = Verify(t.Context(), store, m, nil, nil)
					wantReason(t, err, ReasonCorrupt, "is damaged")
				})
			}
		}
	}
}

func TestFilesOfOneBackupCannotBeExchanged(t *testing.T) {
	store, l := folder(t)
	m := take(t, CreateOptions{Store: store, Location: l, Key: testKey, Meta: testMeta(Logical)}, map[string][]byte{"a": content(1, 100), "b": content(2, 100)})
	a, b := m.File("a"), m.File("b")
	a.Stored, a.StoredSHA256, a.SHA256, a.Salt, b.Name, a.Name = b.Stored, b.StoredSHA256, b.SHA256, b.Salt, "a", "b"
	_, err := Verify(t.Context(), store, m, testKey, nil)
	wantReason(t, err, ReasonCorrupt, "is damaged")
}

func TestAnAbortedBackupLeavesNothing(t *testing.T) {
	store, l := folder(t)
	w := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: testMeta(Logical)}))(t)
	done := must(w.File("done"))(t)
	done.Write(content(1, 1<<20))
	if err := done.Close(); err != nil {
		t.Fatal(err)
	}
	open := must(w.File("open"))(t)
	open.Write(content(2, 5<<20))
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := open.Close(); err == nil {
		t.Error("a file of an aborted backup closed without an error")
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("an aborted backup was committed")
	}
	if got := keys(t, store, l); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestABackupWithAFailedFileCannotBeCommitted(t *testing.T) {
	store, l := folder(t)
	w := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: testMeta(Logical)}))(t)
	f := must(w.File("dump"))(t)
	f.Write(content(1, 100))
	// An end of the source that looks like a regular one.
	f.Fail(io.EOF)
	if _, err := w.Commit(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("commit says %v, want what the file failed with", err)
	}
	w.Abort()
	if got := keys(t, store, l); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestTheNextRunRemovesWhatACrashLeft(t *testing.T) {
	store, l := folder(t)
	old := take(t, CreateOptions{Store: store, Location: l, Meta: testMeta(Logical), Now: func() time.Time { return day0 }}, map[string][]byte{"f": []byte("old")})
	crashed := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: testMeta(Logical)}))(t)
	f := must(crashed.File("f"))(t)
	f.Write([]byte("half"))
	f.Close()
	// A marker beside a manifest is that of a run that died between its last two steps.
	if err := putJSON(t.Context(), store, partialKey(old.location), partial{Version: 1, Scope: old.Scope, Unit: old.Unit, Compression: operation.Zstd, Files: []string{"f"}}); err != nil {
		t.Fatal(err)
	}
	other := testMeta(Logical)
	other.Unit = "orders-1"
	busy := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: other}))(t)
	defer busy.Abort()

	if err := Sweep(t.Context(), store, l, old.Scope, "orders-0"); err != nil {
		t.Fatal(err)
	}
	want := []string{old.Name() + ManifestSuffix, old.Name() + "/f.zst", busy.Location().Name + partialSuffix}
	slices.Sort(want)
	if d := cmp.Diff(want, keys(t, store, l)); d != "" {
		t.Errorf("after the sweep (-want +got):\n%s", d)
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	store, l := folder(t)
	l.Name = "nightly"
	o := CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: testMeta(Logical)}
	m := take(t, o, map[string][]byte{"f": []byte("1")})
	_, err := Create(t.Context(), o)
	wantReason(t, err, ReasonExists, "/backups/nightly holds something already")
	if _, err := Verify(t.Context(), store, m, nil, nil); err != nil {
		t.Errorf("the first backup suffered: %v", err)
	}
	parent := l
	parent.Folder, parent.Name = strings.TrimSuffix(l.Folder, "backups/"), "backups"
	o.Location = parent
	_, err = Create(t.Context(), o)
	wantReason(t, err, ReasonExists, "an address that ends in a slash is a folder")
}

func TestFilesAreRefusedByName(t *testing.T) {
	store, l := folder(t)
	w := must(Create(t.Context(), CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Meta: testMeta(Logical)}))(t)
	defer w.Abort()
	for _, name := range []string{"", "../x", "a//b", "/a", "a/", ".", "x" + ManifestSuffix} {
		if _, err := w.File(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	var open []*FileWriter
	for _, name := range []string{"1", "2"} {
		open = append(open, must(w.File(name))(t))
	}
	if _, err := w.File("3"); err == nil {
		t.Errorf("%d files are open", len(open)+1)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("committed with open files")
	}
	for _, f := range open {
		f.Fail(nil)
	}
}

func TestACancelledBackupSaysWhatCancelledIt(t *testing.T) {
	store, l := folder(t)
	why := errors.New("the call was deleted")
	ctx, cancel := context.WithCancelCause(t.Context())
	w := must(Create(ctx, CreateOptions{Store: store, Location: l, Compression: operation.NoCompression, Meta: testMeta(Logical)}))(t)
	f := must(w.File("f"))(t)
	f.Write([]byte("x"))
	cancel(why)
	for range 10 {
		if _, err := f.Write(content(1, 1<<20)); err != nil {
			break
		}
	}
	if err := f.Close(); !errors.Is(err, why) {
		t.Errorf("close says %v, want %v", err, why)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if got := keys(t, store, l); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestAFileStoreIsDurableAndPrivate(t *testing.T) {
	store, l := folder(t)
	cut := errors.New("cut")
	err := store.Put(t.Context(), l.Folder+"x", io.MultiReader(strings.NewReader("abc"), errReader{cut}))
	if !errors.Is(err, cut) {
		t.Errorf("put says %v, want %v", err, cut)
	}
	if got := keys(t, store, l); len(got) > 0 {
		t.Errorf("a cut source left %v", got)
	}
	if err := store.Put(t.Context(), l.Folder+"a/b", strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	info := must(os.Stat(filepath.Join("/", l.Folder, "a/b")))(t)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if free, known, err := store.Free(t.Context()); err != nil || !known || free <= 0 {
		t.Errorf("free: %d %v %v", free, known, err)
	}
	_, err = store.Get(t.Context(), l.Folder+"a/../../x")
	wantReason(t, err, ReasonInvalid, "is no key")
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestKeyIDIsTheBeginningOfTheHash(t *testing.T) {
	sum := sha256.Sum256(testKey)
	if got := KeyID(testKey); len(got) != 16 || got[:2] != string("0123456789abcdef"[sum[0]>>4])+string("0123456789abcdef"[sum[0]&15]) {
		t.Errorf("key id %s", got)
	}
}
