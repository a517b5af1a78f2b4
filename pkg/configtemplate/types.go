// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package configtemplate

import (
	"crypto/sha256"
	"encoding/binary"
)

// Input is all a rendering depends on.
type Input struct {
	// Type is mysql, postgresql or proxysql. It picks the main file's name and
	// the syntax that quote and option write.
	Type string
	// Files are the templates by the key of their ConfigMap. The key named like
	// the type is the main file and required; any other key is the name of the
	// file it becomes.
	Files map[string]string
	// Values in the order they are laid over each other: a later layer wins. The
	// operator's order is the shared ConfigMap, the package's defaults, the
	// unit's value ConfigMap.
	Values []Layer
	// Facts of the unit.
	Facts Facts
}

// Layer is one source of values.
type Layer struct {
	// Name of the source, for errors: "ConfigMap mysql-cluster-0-config-value".
	Name string
	// Values as ParseValues or SharedValues return them. Maps are merged key by
	// key, anything else replaces what an earlier layer had, and null removes it.
	Values map[string]any
}

// Facts of a unit, the fields of a template's dot beside .Values. Sizes are in
// bytes.
type Facts struct {
	// Unit is the unit itself.
	Unit Unit
	// Version of the server.
	Version Version
	// Memory limit of the database container in bytes; 0 without a limit.
	Memory int64
	// CPU limit of the database container in thousandths of a core; 0 without a
	// limit.
	CPU int64
	// DataSize is the requested size of the data storage in bytes; 0 where it is
	// not known (an emptyDir without a size).
	DataSize int64
	// ArchMode is the value of ARCH_MODE; empty for a standalone unit.
	ArchMode string
	// Managed is true for a unit that only its Replication opens for writes.
	Managed bool
	// Port the server listens on for SQL.
	Port int32
	// Ports of the database container by name.
	Ports map[string]int32
	// DataMount is where the data storage is mounted.
	DataMount string
	// LogMount is where the storage or emptyDir named log is mounted; empty
	// without one.
	LogMount string
	// SecretMount is where the user's Secret is mounted; empty without one.
	SecretMount string
	// TLS names the server's certificate files; its fields are empty without one.
	TLS TLS
}

// Unit is what a template may know of the unit.
type Unit struct {
	// Name and Namespace of the Unit; Set is the UnitSet's name, empty for a
	// standalone Unit.
	Name, Namespace, Set string
	// Ordinal in the set; 0 for a standalone Unit.
	Ordinal int32
	// Host is the name by which others reach the unit, such as
	// mysql-cluster-0.mysql-cluster-headless-svc.default.
	Host string
	// ServerID is unique among the units: see ServerID. Never 0.
	ServerID uint32
}

// TLS of the server.
type TLS struct {
	// CA, Cert and Key are paths in the database container.
	CA, Cert, Key string
	// Mode is the value of SSL_MODE: empty, PREFERRED, REQUIRED, VERIFY_CA or
	// VERIFY_IDENTITY.
	Mode string
}

// Required says whether the server shall refuse connections over the network
// without TLS.
func (t TLS) Required() bool {
	switch t.Mode {
	case "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY":
		return true
	}
	return false
}

// Output is a rendered configuration.
type Output struct {
	// Files by base name: the main file (see MainFile) and the further ones.
	Files map[string][]byte
	// Hash names the content and names of Files: 32 hexadecimal digits.
	Hash string
}

// mainFiles are the main files by type.
var mainFiles = map[string]string{
	"mysql":      "my.cnf",
	"postgresql": "postgresql.conf",
	"proxysql":   "proxysql.cnf",
}

// MainFile is the name of a type's main file, which the ConfigMap's key named
// like the type becomes. Empty for an unknown type.
func MainFile(unitType string) string { return mainFiles[unitType] }

// ServerID derives MySQL's server_id from the UID of a Unit. It is never 0, and
// the same for the life of the Unit.
func ServerID(unitUID string) uint32 {
	sum := sha256.Sum256([]byte("server_id " + unitUID))
	id := binary.BigEndian.Uint32(sum[:])
	if id == 0 {
		id = 1
	}
	return id
}
