// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

const (
	scramIterations = 4096
	scramSaltLength = 16
)

// verifier is what the server keeps of a password: SCRAM-SHA-256 as in RFC 5803.
// ok is false if only the server can make it: a password beyond ASCII is
// normalised by SASLprep first, by the server's tables. One that is no UTF-8 is
// taken as it is, by server and clients alike.
func verifier(password string) (v string, ok bool, err error) {
	if utf8.ValidString(password) && !ascii(password) {
		return "", false, nil
	}
	salt := make([]byte, scramSaltLength)
	if _, err := rand.Read(salt); err != nil {
		return "", false, err
	}
	v, err = saltedVerifier(password, salt, scramIterations)
	return v, err == nil, err
}

func saltedVerifier(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(mac(salted, "Server Key"))), nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
