// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

// Reasons of failed operations that are the same whatever the engine. They are words of
// a call's status, which programs may compare.
const (
	// ReasonServerNotRunning: the unit's server does not answer.
	ReasonServerNotRunning = "ServerNotRunning"
	// ReasonReadOnly: it takes no writes.
	ReasonReadOnly = "ReadOnly"
	// ReasonNotEnoughSpace: what is made alongside the data does not fit on its volume.
	ReasonNotEnoughSpace = "NotEnoughSpace"
	// ReasonWouldOverwrite: there is data, and overwrite was not given.
	ReasonWouldOverwrite = "WouldOverwrite"
	// ReasonNewDataNotServing: the server does not serve with the new data. The message
	// says whether the old one is back or lies alongside.
	ReasonNewDataNotServing = "NewDataNotServing"
	// ReasonDataUnusable: no server could be started on the new data alongside the old.
	ReasonDataUnusable = "DataUnusable"
	// ReasonInvalidParameters: parameters that do not fit what the backup holds.
	ReasonInvalidParameters = "InvalidParameters"
	// ReasonUnknownDatabase: the backup or the server has no such database.
	ReasonUnknownDatabase = "UnknownDatabase"
	// ReasonLocked: somebody holds a lock and does not give it up.
	ReasonLocked = "Locked"
	// ReasonTooLate: a call was deleted when there was no way back any more.
	ReasonTooLate = "TooLate"
	// ReasonVerificationFailed: what was restored of a backup is not what was backed up. The
	// message says which tables differ.
	ReasonVerificationFailed = "VerificationFailed"
	// ReasonUnsafeDestination: a directory that backups are not to be in.
	ReasonUnsafeDestination = "UnsafeDestination"
)
