// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import "time"

// Actions.
const (
	ActionLogicalBackup  = "logical-backup"
	ActionPhysicalBackup = "physical-backup"
	ActionRestore        = "restore"
	ActionGTIDPurge      = "gtid-purge"
	ActionSetVariable    = "set-variable"
	ActionClone          = "clone"
)

// ActionVerify restores a backup on a private server and compares. No call may ask for it:
// it takes the parameters of restore, and is what unit-agent backup verify does.
const ActionVerify = "verify"

// BackupType says how much a backup holds.
type BackupType string

// Backup types.
const (
	Full        BackupType = "full"
	Incremental BackupType = "incremental"
)

// Compression of a backup's files.
type Compression string

// Compressions.
const (
	Gzip  Compression = "gzip"
	Bzip2 Compression = "bzip2"
	Zstd  Compression = "zstd"
	// NoCompression is none.
	NoCompression Compression = "none"
)

// Encryption of a backup's files; empty for none.
type Encryption string

// AES256 is AES-256-GCM.
const AES256 Encryption = "AES256"

// Params are the parameters of one action.
type Params interface{ isParams() }

// LogicalBackup are the parameters of logical-backup.
type LogicalBackup struct {
	BackupType  BackupType    `json:"backupType"`
	Compression Compression   `json:"compression"`
	Destination string        `json:"destination"`
	Retention   time.Duration `json:"retention,omitempty"`
	Encryption  Encryption    `json:"encryption,omitempty"`
	Databases   []string      `json:"databases,omitempty"`
	// SkipTables are globs, <database>.<table>.
	SkipTables []string `json:"skipTables,omitempty"`
	// Verify: the backup is restored alongside the data and compared.
	Verify bool `json:"verify,omitempty"`
}

// PhysicalBackup are the parameters of physical-backup.
type PhysicalBackup struct {
	BackupType  BackupType    `json:"backupType"`
	Compression Compression   `json:"compression"`
	Destination string        `json:"destination"`
	Retention   time.Duration `json:"retention,omitempty"`
	Encryption  Encryption    `json:"encryption,omitempty"`
	// Parallel threads; 0 leaves it to the agent.
	Parallel int `json:"parallel,omitempty"`
	// Verify: the backup is restored alongside the data and compared.
	Verify bool `json:"verify,omitempty"`
}

// Restore are the parameters of restore.
type Restore struct {
	Source         string   `json:"source"`
	TargetDatabase string   `json:"targetDatabase,omitempty"`
	Overwrite      bool     `json:"overwrite,omitempty"`
	Databases      []string `json:"databases,omitempty"`
	// Encrypted: a key was named, so that a backup without encryption is refused.
	Encrypted bool `json:"encrypted,omitempty"`
}

// GTIDPurge are the parameters of gtid-purge.
type GTIDPurge struct {
	// GTIDSet is empty for that of the last restore's manifest.
	GTIDSet string `json:"gtidSet,omitempty"`
}

// SetVariable are the parameters of set-variable.
type SetVariable struct {
	Variables map[string]Value `json:"variables"`
}

// Kind of a JSON scalar.
type Kind string

// Kinds.
const (
	String Kind = "string"
	Number Kind = "number"
	Bool   Kind = "bool"
)

// Value is a JSON scalar as it was written.
type Value struct {
	Text string `json:"text"`
	Kind Kind   `json:"kind"`
}

// SecretKey is one key of a Secret.
type SecretKey struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// Clone are the parameters of clone.
type Clone struct {
	SourceHost string `json:"sourceHost"`
	SourcePort int    `json:"sourcePort"`
	SourceUser string `json:"sourceUser"`
	// SourcePassword is the clear-text field. It is no part of the canonical form.
	SourcePassword       string    `json:"-"`
	SourcePasswordSecret SecretKey `json:"sourcePasswordSecret,omitzero"`
	Databases            []string  `json:"databases,omitempty"`
	// SkipTables are globs, <database>.<table>.
	SkipTables []string `json:"skipTables,omitempty"`
	Overwrite  bool     `json:"overwrite,omitempty"`
}

func (*LogicalBackup) isParams()  {}
func (*PhysicalBackup) isParams() {}
func (*Restore) isParams()        {}
func (*GTIDPurge) isParams()      {}
func (*SetVariable) isParams()    {}
func (*Clone) isParams()          {}

// SecretRefs are the Secrets that the parameters name; empty for the defaults.
type SecretRefs struct {
	// Destination has the S3 credentials of a backup, Source those of a restore,
	// Encryption the key.
	Destination, Source, Encryption string
}
