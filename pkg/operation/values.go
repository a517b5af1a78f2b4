// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the keys want, beyond their JSON type.

var (
	secretNamePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	secretKeyPattern  = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	bucketPattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	retentionPattern  = regexp.MustCompile(`^([1-9][0-9]{0,4})([dhw])$`)
	hostPattern       = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$|^[0-9A-Fa-f]*:[0-9A-Fa-f:.]+$`)
	gtidPattern       = regexp.MustCompile(`^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(:[a-zA-Z_][a-zA-Z0-9_]{0,31}|:[0-9]{1,19}(-[0-9]{1,19})?)+$`)
)

func oneOf[T ~string](a *args, key string, byDefault T, values ...T) T {
	var names []string
	for _, v := range values {
		names = append(names, string(v))
	}
	want := "one of " + strings.Join(names, ", ")
	s, ok := a.scalar(key, want)
	if !ok {
		return byDefault
	}
	if !slices.Contains(values, T(s)) {
		a.refuse(key, "is %s; it wants %s", quote(s), want)
		return byDefault
	}
	return T(s)
}

func (a *args) backupType() BackupType {
	t := oneOf(a, "backupType", Full, Full, Incremental)
	if t == Incremental && a.typ == PostgreSQL && a.action == ActionLogicalBackup {
		a.refuse("backupType", "is incremental, which a logical backup of postgresql cannot be: the action %s with backupType incremental can", ActionPhysicalBackup)
	}
	return t
}

// compression: true and false are the document's way to ask for some and none.
func (a *args) compression() Compression {
	switch c := oneOf(a, "compression", Zstd, Gzip, Bzip2, Zstd, NoCompression, "true", "false"); c {
	case "true":
		return Zstd
	case "false":
		return NoCompression
	default:
		return c
	}
}

func (a *args) encryption() Encryption {
	e := oneOf(a, "encryption", "none", AES256, "none")
	if e == "none" {
		if _, named := a.raw["encryptionSecret"]; named {
			a.refuse("encryptionSecret", "is given without encryption: %s", AES256)
		}
		return ""
	}
	return e
}

func (a *args) retention() time.Duration {
	const want = "a number with d, h or w, such as 7d"
	s, ok := a.scalar("retention", want)
	if !ok {
		return 0
	}
	m := retentionPattern.FindStringSubmatch(s)
	if m == nil {
		a.refuse("retention", "is %s; it wants %s", quote(s), want)
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
	return time.Duration(n) * unit
}

// location of backups. Its text is not repeated: people put keys into addresses.
func (a *args) location(key string) string {
	const want = "s3://<bucket>/<prefix>/ or file:///<path>/"
	s, ok := a.text(key, want, 1024)
	if !ok {
		return ""
	}
	if why := locationError(s, key == "destination"); why != "" {
		a.refuse(key, "%s; it wants %s", why, want)
		return ""
	}
	return s
}

func locationError(s string, destination bool) string {
	if strings.ContainsAny(s, "?#\\ ") {
		return "holds a space, ?, # or \\"
	}
	rest, isS3 := strings.CutPrefix(s, "s3://")
	if !isS3 {
		if rest, isS3 = strings.CutPrefix(s, "file://"); !isS3 {
			return "has another scheme"
		}
		if !strings.HasPrefix(rest, "/") || strings.Trim(rest, "/") == "" {
			return "is no absolute path"
		}
		return segmentsError(strings.TrimPrefix(rest, "/"))
	}
	bucket, name, slash := strings.Cut(rest, "/")
	switch {
	case strings.Contains(bucket, "@"):
		return "holds credentials, which belong into a Secret"
	case !bucketPattern.MatchString(bucket) || strings.Contains(bucket, ".."):
		return "names no valid bucket"
	case destination && !slash:
		return "names a bucket alone; a slash at its end makes it a folder"
	}
	return segmentsError(name)
}

func segmentsError(name string) string {
	name = strings.TrimSuffix(name, "/")
	if name == "" {
		return ""
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "has an empty segment, . or .."
		}
	}
	return ""
}

func (a *args) secretName(key string) string {
	const want = "the name of a Secret"
	s, ok := a.text(key, want, 253)
	if ok && !secretNamePattern.MatchString(s) {
		a.refuse(key, "is not %s", want)
		return ""
	}
	return s
}

func (a *args) databases() []string {
	return a.list("databases", "databases", func(s string) string {
		if len(s) > 64*4 {
			return "is too long for a database"
		}
		return ""
	})
}

func (a *args) skipTables() []string {
	return a.list("skipTables", "globs <database>.<table>", func(s string) string {
		database, table, ok := strings.Cut(s, ".")
		if !ok || database == "" || table == "" {
			return "is no <database>.<table>"
		}
		for _, glob := range []string{database, table} {
			if _, err := path.Match(glob, ""); err != nil {
				return "is no valid glob"
			}
		}
		return ""
	})
}

func (a *args) gtidSet() string {
	s, ok := a.text("gtidSet", "a GTID set", 64<<10)
	if !ok {
		return ""
	}
	for part := range strings.SplitSeq(s, ",") {
		if !gtidPattern.MatchString(strings.TrimSpace(part)) {
			a.refuse("gtidSet", "is no GTID set: %s is not <uuid>:<from>-<to>", quote(strings.TrimSpace(part)))
			return ""
		}
	}
	return s
}

func (a *args) logicalBackup() *LogicalBackup {
	b := &LogicalBackup{
		BackupType: a.backupType(), Compression: a.compression(), Destination: a.location("destination"),
		Retention: a.retention(), Encryption: a.encryption(),
		Databases: a.databases(), SkipTables: a.skipTables(), Verify: a.boolean("verify"),
	}
	if b.BackupType != Incremental {
		return b
	}
	const why = "cannot go with backupType incremental: binary logs hold all databases and tables, and a restore chooses among the databases"
	if len(b.Databases) > 0 {
		a.refuse("databases", why)
	}
	if len(b.SkipTables) > 0 {
		a.refuse("skipTables", why)
	}
	return b
}

func (a *args) restore() *Restore {
	r := &Restore{Source: a.location("source"), Overwrite: a.boolean("overwrite"), Databases: a.databases()}
	r.TargetDatabase, _ = a.text("targetDatabase", "the name of a database", 64)
	if r.TargetDatabase != "" && len(r.Databases) > 1 {
		a.refuse("targetDatabase", "takes one database, but databases names %d", len(r.Databases))
	}
	return r
}

func (a *args) clone() *Clone {
	c := &Clone{
		SourcePort: a.integer("sourcePort", map[string]int{MySQL: 3306, PostgreSQL: 5432}[a.typ], 1, 65535),
		Databases:  a.databases(), SkipTables: a.skipTables(), Overwrite: a.boolean("overwrite"),
	}
	var ok bool
	if c.SourceHost, ok = a.text("sourceHost", "a host", 253); ok && !hostPattern.MatchString(c.SourceHost) {
		a.refuse("sourceHost", "is neither the name nor the address of a host")
	}
	c.SourceUser, _ = a.text("sourceUser", "the name of a user", 63)
	_, clear := a.raw["sourcePassword"]
	_, secret := a.raw["sourcePasswordSecret"]
	switch {
	case clear && secret:
		a.refuse("sourcePassword", "is given beside sourcePasswordSecret; one of them is enough")
	case clear:
		c.SourcePassword, _ = a.scalar("sourcePassword", "the password")
	case secret:
		c.SourcePasswordSecret = a.passwordSecret(c.SourceUser)
	default:
		a.refuse("sourcePasswordSecret", "is missing; sourcePassword may stand for it")
	}
	return c
}

// passwordSecret is a name, or {name, key}; the key is that of the user's name
// otherwise, as in the Secrets of UnitSets.
func (a *args) passwordSecret(user string) SecretKey {
	const key, want = "sourcePasswordSecret", "the name of a Secret, or its name and key"
	v, there := a.value(key)
	if !there {
		return SecretKey{}
	}
	out := SecretKey{Key: user}
	switch v := v.(type) {
	case string:
		out.Name = v
	case map[string]any:
		for _, field := range sortedKeys(v) {
			text, ok := v[field].(string)
			switch {
			case field == "name" && ok:
				out.Name = text
			case field == "key" && ok:
				out.Key = text
			default:
				a.refuse(key+"."+quote(field), "is unknown or no string; accepted are name, key")
				return SecretKey{}
			}
		}
	default:
		a.refuse(key, "is %s; it wants %s", kindOf(v), want)
		return SecretKey{}
	}
	if len(out.Name) > 253 || !secretNamePattern.MatchString(out.Name) {
		a.refuse(key, "is not %s", want)
		return SecretKey{}
	}
	if !secretKeyPattern.MatchString(out.Key) {
		a.refuse(key, "has no valid key of a Secret, which is that of the user's name unless key is given")
		return SecretKey{}
	}
	return out
}
