// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// macKey of a manifest is the one that its code is under.
const macKey = "mac"

// signedForm is what the code of a manifest is of: its JSON without the code, compact,
// its keys in order, so that keys which this version does not know count too.
func signedForm(raw []byte) ([]byte, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, err
	}
	delete(keys, macKey)
	return json.Marshal(keys)
}

// macOf the signed form, under a key that is derived from that of the backup.
func macOf(key []byte, id string, signed []byte) (string, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "unit-operator manifest\x00"+id, KeySize)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write(signed)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// sign the manifest of an encrypted backup.
func (m *Manifest) sign(key []byte) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if m.signed, err = signedForm(raw); err != nil || key == nil {
		return err
	}
	m.MAC, err = macOf(key, m.ID, m.signed)
	return err
}

// SignManifest returns the JSON of a manifest with the code of what it says now: who has
// the key may change the manifest of an encrypted backup.
func SignManifest(raw, key []byte) ([]byte, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, err
	}
	var id string
	if err := json.Unmarshal(keys["id"], &id); err != nil {
		return nil, err
	}
	signed, err := signedForm(raw)
	if err != nil {
		return nil, err
	}
	mac, err := macOf(key, id, signed)
	if err != nil {
		return nil, err
	}
	if keys[macKey], err = json.Marshal(mac); err != nil {
		return nil, err
	}
	return json.Marshal(keys)
}

// checkMAC fails unless who wrote the manifest had the key, which is the right one.
func (m *Manifest) checkMAC(key []byte) error {
	want, err := macOf(key, m.ID, m.signed)
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(want), []byte(m.MAC)) {
		return failure(ReasonManifest, "", nil, "the manifest of the backup %s is not as it was written: who changed it did not have the key", m.location)
	}
	return nil
}

// CheckEncrypted fails if the backup is to be encrypted and is not: somebody who may
// write to the store, and has no key, may have put it there.
func (m *Manifest) CheckEncrypted(wanted bool) error {
	if wanted && m.Encryption == nil {
		return failure(ReasonKey, "", nil, "a key was named and the backup %s is not encrypted: without encryptionSecret it is restored as it is", m.location)
	}
	return nil
}
