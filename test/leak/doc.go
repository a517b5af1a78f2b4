// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package leak finds secrets where none may be: in what tests record of command
// lines, logs and objects.
//
//   - Secrets are the values to look for, each in the ways that programs write it:
//     as it is, quoted for JSON, Go and SQL, in base64, in hexadecimal.
//   - Processes samples the command lines of a machine's processes, Files keeps files
//     readable that others delete, such as the logs of containers, and Record keeps
//     texts, each once.
package leak
