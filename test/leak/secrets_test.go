// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const password = `a "pass'word\` + "`<&"

func search(t *testing.T, s *Secrets, text string) []string {
	t.Helper()
	found, err := s.Search(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestASecretIsFoundInWhateverFormItIsWritten(t *testing.T) {
	s := &Secrets{}
	s.Add("the password", []byte(password))
	asJSON, err := json.Marshal(map[string]string{"message": "login with " + password})
	if err != nil {
		t.Fatal(err)
	}
	sql := "IDENTIFIED BY '" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(password) + "'"
	for name, text := range map[string]string{
		"as it is":                 password,
		"in JSON":                  string(asJSON),
		"quoted":                   fmt.Sprintf("%q", password),
		"in SQL":                   sql,
		"in SQL, doubled":          "PASSWORD '" + strings.ReplaceAll(password, "'", "''") + "'",
		"in SQL in a quoted line":  strconv.Quote(sql),
		"in a message in a log":    fmt.Sprintf("%q", fmt.Sprintf("err=%q", password)),
		"in base64":                "x" + base64.StdEncoding.EncodeToString([]byte(password)),
		"in hexadecimal":           hex.EncodeToString([]byte(password)),
		"in hexadecimal, capitals": fmt.Sprintf("%X", password),
	} {
		if found := search(t, s, "before "+text+" after"); len(found) != 1 {
			t.Errorf("%s: found %q in %s", name, found, text)
		}
	}
}

func TestWhatIsFoundIsNamedAndNotShown(t *testing.T) {
	s := &Secrets{}
	s.Add("the key", []byte("0123456789abcdef"))
	want := []string{"the key is told: mysql --password=*** --host=x"}
	if diff := cmp.Diff(want, search(t, s, "mysql --password=0123456789abcdef --host=x")); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if found := search(t, s, "mysql --password=0123456789abcde --host=x"); len(found) != 0 {
		t.Errorf("found %q where it is not", found)
	}
}

func TestASecretIsFoundAcrossTheBorderOfWindows(t *testing.T) {
	s := &Secrets{}
	s.Add("the key", []byte("0123456789abcdef"))
	for _, before := range []int{0, window - 9, window, window + 5, window + 40, 3*window - 8} {
		text := strings.Repeat("x", before) + "0123456789abcdef" + strings.Repeat("y", window/2)
		if found := search(t, s, text); len(found) != 1 {
			t.Errorf("after %d bytes: found %q", before, found)
		}
	}
	if _, err := s.Search(iotest.ErrReader(iotest.ErrTimeout)); err == nil {
		t.Error("a text that cannot be read passes")
	}
}

func TestAWordIsASecretOnlyWhereItIsGivenAsOne(t *testing.T) {
	s := &Secrets{}
	s.AddWord("the document's password", "password")
	for text, want := range map[string]int{
		"the password is wrong":                       0,
		"caching_sha2_password, password_history":     0,
		"mysql --password=x -p":                       0,
		"CREATE USER r IDENTIFIED BY 'password'":      1,
		"mysqldump -ppassword app_db":                 1,
		"postgres://replication:password@source/x":    1,
		"PGPASSWORD=password pg_dump":                 1,
		"host=source user=replication password=other": 0,
	} {
		if found := search(t, s, text); len(found) != want {
			t.Errorf("%s: found %q, want %d", text, found, want)
		}
	}
}

func TestOfPEMThePrivateKeyIsTheSecret(t *testing.T) {
	const line = "MHcCAQEEIBmS0uVvUbBCCDuWg5XMCGtvhnhzkOJbGVvLHFLBsVXQoAoGCCqGSM49"
	s := &Secrets{}
	s.Add("the certificate", []byte("-----BEGIN CERTIFICATE-----\n"+line+"\n-----END CERTIFICATE-----\n"))
	if s.Len() != 0 {
		t.Errorf("a certificate is one of %d secrets", s.Len())
	}
	s.Add("the key", []byte("-----BEGIN EC PRIVATE KEY-----\n"+line+"\n-----END EC PRIVATE KEY-----\n"))
	if found := search(t, s, "E1126 loading key: "+line+" is no certificate"); len(found) != 1 {
		t.Errorf("found %q", found)
	}
}

func TestValuesThatOccurByChanceAreReported(t *testing.T) {
	s := &Secrets{}
	s.Add("the flag", []byte("true"))
	if s.Len() != 0 || len(search(t, s, "it is true")) != 0 {
		t.Error("a short value is looked for")
	}
	if diff := cmp.Diff([]string{"the flag"}, s.Short()); diff != "" {
		t.Errorf("short values (-want +got):\n%s", diff)
	}
}
