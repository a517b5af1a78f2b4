// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/upmio/unit-operator/pkg/operation"
)

// MaxOpenFiles is how many files of a backup may be written at a time: each needs
// buffers.
const MaxOpenFiles = 2

// abortTimeout bounds the removal of what an aborted backup has stored.
const abortTimeout = time.Minute

// CreateOptions are what a backup begins with.
type CreateOptions struct {
	Store Store
	// Location is the destination: a folder, or the backup's own address.
	Location    Location
	Compression operation.Compression
	// Parallel threads compress a file; DefaultParallel if 0. There are no more than
	// memory allows.
	Parallel int
	// Key is nil for a backup that is not encrypted.
	Key  []byte
	Meta Meta
	// Now is time.Now if nil.
	Now func() time.Time

	objectSize int64
}

// Writer is a backup that is being written. File, Written and Abort may be called
// from several goroutines.
type Writer struct {
	// Meta may be changed until Commit.
	Meta Meta

	ctx         context.Context
	cancel      context.CancelCauseFunc
	store       Store
	location    Location
	id          string
	key         []byte
	compression operation.Compression
	parallel    int
	created     time.Time
	now         func() time.Time
	objectSize  int64

	mu        sync.Mutex
	open      []*FileWriter
	names     []string
	files     []File
	err       error
	committed bool
	aborted   bool
}

// Create begins a backup: it removes what an earlier run of the same unit left
// behind, and leaves a marker of its own. ctx bounds the whole backup.
func Create(ctx context.Context, o CreateOptions) (*Writer, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel == 0 {
		o.Parallel = DefaultParallel
	}
	if o.objectSize == 0 {
		o.objectSize = objectSize
	}
	created := o.Now().UTC().Truncate(time.Millisecond)
	if o.Location.IsFolder() {
		o.Location.Name = fmt.Sprintf("backup-%s-%s", created.Format("20060102T150405Z"), o.Meta.Unit)
	}
	switch {
	case !validName(o.Location.Name):
		return nil, failure(ReasonInvalid, "", nil, "%s cannot be the name of a backup", o.Location.Name)
	case codecs[o.Compression] == nil:
		return nil, fmt.Errorf("unknown compression %q", o.Compression)
	case o.Key != nil && len(o.Key) != KeySize:
		return nil, failure(ReasonKey, "", nil, "the encryption key has %d bytes; AES-256 takes %d", len(o.Key), KeySize)
	case o.Meta.Unit == "" || o.Meta.Namespace == "" || o.Meta.Set == "" || o.Meta.Engine == "" || o.Meta.Kind == "" || o.Meta.Type == "":
		return nil, errors.New("a backup wants scope, unit, engine and type")
	}
	if err := Sweep(ctx, o.Store, o.Location, o.Meta.Scope, o.Meta.Unit); err != nil {
		return nil, err
	}
	if err := vacant(ctx, o.Store, o.Location); err != nil {
		return nil, err
	}
	w := &Writer{
		Meta: o.Meta, store: o.Store, location: o.Location, id: newID(), key: o.Key,
		compression: o.Compression, parallel: min(o.Parallel, maxParallel), created: created, now: o.Now, objectSize: o.objectSize,
	}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	if err := w.mark(ctx); err != nil {
		w.cancel(err)
		return nil, err
	}
	return w, nil
}

// vacant fails if something has the name already.
func vacant(ctx context.Context, store Store, l Location) error {
	objects, err := store.List(ctx, l.Folder+l.Name, false)
	if err != nil {
		return err
	}
	taken := slices.ContainsFunc(objects, func(o Object) bool { return o.Key == manifestKey(l) || o.Key == partialKey(l) })
	if !taken {
		if objects, err = store.List(ctx, l.Folder+l.Name+"/", true); err != nil {
			return err
		}
		taken = len(objects) > 0
	}
	if taken {
		return failure(ReasonExists, store.Endpoint(), nil, "%s holds something already; an address that ends in a slash is a folder, in which each backup gets a name of its own", l)
	}
	return nil
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// mark writes the marker: all names are in it before the first byte of theirs is
// stored.
func (w *Writer) mark(ctx context.Context) error {
	return putJSON(ctx, w.store, partialKey(w.location), partial{
		Version: Version, ID: w.id, Scope: w.Meta.Scope, Unit: w.Meta.Unit, Created: w.created, Base: w.Meta.Base,
		Compression: w.compression, Encrypted: w.key != nil, Files: w.names,
	})
}

func putJSON(ctx context.Context, store Store, key string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return store.Put(ctx, key, bytes.NewReader(append(raw, '\n')))
}

// ID of the backup.
func (w *Writer) ID() string { return w.id }

// Location of the backup: the address that restores it.
func (w *Writer) Location() Location { return w.location }

// File begins a file. Its name may have slashes. It is to be closed, or given up
// with Fail, by the caller.
func (w *Writer) File(name string) (*FileWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return nil, w.err
	case w.committed || w.aborted:
		return nil, errAborted
	case !cleanKey(name) || strings.HasSuffix(name, ManifestSuffix) || strings.HasSuffix(name, partialSuffix):
		return nil, fmt.Errorf("%q cannot be the name of a file of a backup", name)
	case slices.Contains(w.names, name):
		return nil, fmt.Errorf("the backup has a file %q already", name)
	case len(w.open) == MaxOpenFiles:
		return nil, fmt.Errorf("more than %d files of a backup at a time", MaxOpenFiles)
	}
	w.names = append(w.names, name)
	if err := w.mark(w.ctx); err != nil {
		w.err = err
		return nil, err
	}
	f, err := newFileWriter(w.ctx, w, name)
	if err != nil {
		w.err = err
		return nil, err
	}
	w.open = append(w.open, f)
	return f, nil
}

func (w *Writer) fileDone(f *FileWriter, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = slices.DeleteFunc(w.open, func(o *FileWriter) bool { return o == f })
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return
	}
	content, stored := f.Written()
	w.files = append(w.files, File{
		Name: f.name, Size: content, SHA256: f.content.sum(),
		Stored: stored, StoredSHA256: f.stored.sum(), Objects: f.objects, Salt: f.salt,
	})
}

// Written returns how many bytes of content came in and how many went to the store.
func (w *Writer) Written() (content, stored int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		content, stored = content+f.Size, stored+f.Stored
	}
	for _, f := range w.open {
		c, s := f.Written()
		content, stored = content+c, stored+s
	}
	return content, stored
}

// Commit writes the manifest: from then on the backup exists. It fails if a file
// failed or is open, or if what the backup continues is not there any more. After an error
// the caller aborts.
func (w *Writer) Commit(ctx context.Context) (*Manifest, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return nil, w.err
	case w.aborted || w.committed:
		return nil, errAborted
	case len(w.open) > 0:
		return nil, fmt.Errorf("file %q of the backup is not closed", w.open[0].name)
	}
	slices.SortFunc(w.files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	m := &Manifest{
		Version: Version, ID: w.id, Meta: w.Meta, Created: w.created, Completed: w.now().UTC().Truncate(time.Millisecond),
		Compression: w.compression, Files: w.files, location: w.location,
	}
	if w.key != nil {
		m.Encryption = &Encryption{Algorithm: AlgorithmAES256GCM, KeyID: KeyID(w.key)}
	}
	if why := m.invalid(); why != "" {
		return nil, fmt.Errorf("the manifest %s", why)
	}
	if err := m.sign(w.key); err != nil {
		return nil, err
	}
	// The marker keeps a base from retention, not from whoever else removes files.
	if _, err := Chain(ctx, w.store, m); err != nil {
		w.err = err
		return nil, err
	}
	if err := putJSON(ctx, w.store, manifestKey(w.location), m); err != nil {
		w.err = err
		return nil, err
	}
	w.committed = true
	w.cancel(nil)
	// A marker beside a manifest means nothing: the next run takes it away.
	_ = w.store.Delete(ctx, partialKey(w.location))
	return m, nil
}

// Abort ends what is being stored and removes what was. It does nothing after
// Commit, so that it can be deferred. What it cannot remove, the marker remembers.
func (w *Writer) Abort() error {
	w.mu.Lock()
	if w.committed || w.aborted {
		w.mu.Unlock()
		return nil
	}
	w.aborted = true
	open := slices.Clone(w.open)
	w.mu.Unlock()
	w.cancel(errAborted)
	for _, f := range open {
		f.pipe.CloseWithError(errAborted)
		<-f.uploaded
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	// It may have been stored although the store said otherwise.
	if err := w.store.Delete(ctx, manifestKey(w.location)); err != nil {
		return err
	}
	return removeFiles(ctx, w.store, w.location, w.compression, w.key != nil, w.names)
}
