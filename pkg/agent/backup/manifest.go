// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"encoding/json"
	"path"
	"strings"
	"time"

	"github.com/upmio/unit-operator/pkg/operation"
)

// Version of the format.
const Version = 1

// MaxManifest bounds the manifests that are read.
const MaxManifest = 16 << 20

// Kind of a backup's content.
type Kind string

// Kinds.
const (
	Logical  Kind = "logical"
	Physical Kind = "physical"
)

// Scope is what backups and their retention belong to. An empty field matches
// anything in Find, and nothing else in Prune.
type Scope struct {
	// Cluster is the UID of the namespace kube-system, as far as it is known.
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace"`
	// Set is the UnitSet's name, or the Unit's if it belongs to none.
	Set  string `json:"set"`
	Kind Kind   `json:"kind"`
}

// Meta is what an engine says of a backup. Scope, Unit, Engine and Type must be
// known when it is created, all else when it is committed.
type Meta struct {
	Scope
	Unit          string               `json:"unit"`
	Type          operation.BackupType `json:"type"`
	Engine        string               `json:"engine"`
	EngineVersion string               `json:"engineVersion,omitempty"`
	// SystemID identifies the database: PostgreSQL's system identifier, MySQL's
	// server_uuid.
	SystemID string `json:"systemID,omitempty"`
	// Base is what an incremental backup continues.
	Base *Base `json:"base,omitempty"`
	// Databases that it holds; empty if it holds the whole server.
	Databases []string `json:"databases,omitempty"`
	// GTIDExecuted is the server's set at the moment of the backup; GTIDPurged what
	// is to be purged after a restore if that is another one.
	GTIDExecuted string `json:"gtidExecuted,omitempty"`
	GTIDPurged   string `json:"gtidPurged,omitempty"`
	// StartLSN, StopLSN and Timeline of PostgreSQL.
	StartLSN string `json:"startLSN,omitempty"`
	StopLSN  string `json:"stopLSN,omitempty"`
	Timeline int    `json:"timeline,omitempty"`
	// Tool that made it, with its version.
	Tool string `json:"tool,omitempty"`
	// Properties are the engine's own. No secrets.
	Properties map[string]string `json:"properties,omitempty"`
}

// Base names a backup in the same folder.
type Base struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Manifest describes a backup that is complete.
type Manifest struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Meta
	// Created is when the backup began, Completed when its last byte was stored.
	Created     time.Time             `json:"created"`
	Completed   time.Time             `json:"completed"`
	Compression operation.Compression `json:"compression"`
	Encryption  *Encryption           `json:"encryption,omitempty"`
	Files       []File                `json:"files"`
	// MAC of the manifest of an encrypted backup, by a key that is derived from its key:
	// HMAC-SHA256, in hexadecimal.
	MAC string `json:"mac,omitempty"`

	location Location
	// signed is what MAC is of.
	signed []byte
}

// Encryption of all files of a backup.
type Encryption struct {
	// Algorithm is AlgorithmAES256GCM.
	Algorithm string `json:"algorithm"`
	// KeyID is that of the key: the first 8 bytes of its SHA-256, in hexadecimal.
	KeyID string `json:"keyID"`
}

// AlgorithmAES256GCM is AES-256-GCM in the packages of DARE 2.0, under a key that
// HKDF-SHA256 derives for each file.
const AlgorithmAES256GCM = "AES-256-GCM"

// File is one file of a backup.
type File struct {
	Name string `json:"name"`
	// Size and SHA256 are those of the content.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Stored and StoredSHA256 are those of the bytes in the store: compressed and
	// encrypted, all objects together.
	Stored       int64  `json:"stored"`
	StoredSHA256 string `json:"storedSHA256"`
	// Objects it is stored in, in order: very large files have several.
	Objects int `json:"objects"`
	// Salt of the file's key, if encrypted.
	Salt []byte `json:"salt,omitempty"`
}

// Name of the backup, in its folder.
func (m *Manifest) Name() string { return m.location.Name }

// Location of the backup: the address that restores it.
func (m *Manifest) Location() Location { return m.location }

// AsBase is what an incremental backup on top of m gives as its base.
func (m *Manifest) AsBase() *Base { return &Base{ID: m.ID, Name: m.Name()} }

// Size of the content of all files.
func (m *Manifest) Size() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// Stored is how many bytes the store has of it, without the manifest.
func (m *Manifest) Stored() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Stored
	}
	return n
}

// File returns the file of that name, nil if there is none.
func (m *Manifest) File(name string) *File {
	for i := range m.Files {
		if m.Files[i].Name == name {
			return &m.Files[i]
		}
	}
	return nil
}

func (m *Manifest) key() string { return manifestKey(m.location) }

func (m *Manifest) objectKeys(f *File) []string {
	var keys []string
	for i := range f.Objects {
		keys = append(keys, objectKey(m.location, f.Name, m.Compression, m.Encryption != nil, i))
	}
	return keys
}

// DecodeManifest decodes and checks the manifest of the backup at l. What is stored
// where follows from l and the names of the files, so that no manifest can point at
// what is another's.
func DecodeManifest(raw []byte, l Location) (*Manifest, error) {
	m := &Manifest{location: l}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, failure(ReasonManifest, "", nil, "the manifest %s is damaged: %v", l.at(manifestKey(l)), err)
	}
	if why := m.invalid(); why != "" {
		return nil, failure(ReasonManifest, "", nil, "the manifest %s %s", l.at(manifestKey(l)), why)
	}
	var err error
	if m.signed, err = signedForm(raw); err != nil {
		return nil, failure(ReasonManifest, "", nil, "the manifest %s is damaged: %v", l.at(manifestKey(l)), err)
	}
	return m, nil
}

func (m *Manifest) invalid() string {
	switch {
	case m.Version == 0:
		return "is not one of unit-operator's: it has no version"
	case m.Version > Version:
		return "was written by a later version of unit-operator"
	case m.ID == "" || m.Engine == "" || m.Namespace == "" || m.Created.IsZero():
		return "lacks id, engine, namespace or created"
	case m.Kind != Logical && m.Kind != Physical:
		return "has an unknown kind"
	case m.Type != operation.Full && m.Type != operation.Incremental:
		return "has an unknown type"
	case m.Type == operation.Incremental && (m.Base == nil || m.Base.ID == "" || !validName(m.Base.Name)):
		return "is of an incremental backup and names no base"
	case m.Type == operation.Full && m.Base != nil:
		return "is of a full backup and names a base"
	case codecs[m.Compression] == nil:
		return "has an unknown compression"
	case m.Encryption != nil && m.Encryption.Algorithm != AlgorithmAES256GCM:
		return "has an unknown encryption"
	case m.Encryption != nil && m.Encryption.KeyID == "":
		return "lacks the id of the encryption key"
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		switch {
		case !cleanKey(f.Name) || seen[f.Name]:
			return "names a file twice, or one outside the backup"
		case f.Size < 0 || f.Stored < 0 || f.Objects < 1 || f.Objects > maxObjects:
			return "has a file of an impossible size"
		case len(f.SHA256) != 64 || len(f.StoredSHA256) != 64:
			return "has a file without its hash"
		case m.Encryption != nil && len(f.Salt) != saltSize:
			return "has an encrypted file without salt"
		}
		seen[f.Name] = true
	}
	return ""
}

func manifestKey(l Location) string { return l.Folder + l.Name + ManifestSuffix }

func partialKey(l Location) string { return l.Folder + l.Name + partialSuffix }

func objectKey(l Location, file string, compression operation.Compression, encrypted bool, i int) string {
	return path.Join(l.Folder+l.Name, file) + extension(compression, encrypted, i)
}

// validName is true of what a backup may be called.
func validName(name string) bool {
	return cleanKey(name) && !strings.Contains(name, "/") &&
		!strings.HasSuffix(name, ManifestSuffix) && !strings.HasSuffix(name, partialSuffix)
}
