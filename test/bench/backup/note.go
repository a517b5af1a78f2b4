// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// phrases of which notes on orders are made.
var phrases = []string{
	"customer asked for delivery in the morning", "fragile", "paid by invoice", "left with the neighbour", "second attempt failed",
	"address confirmed by phone", "express", "gift wrapping", "returned to the warehouse", "signature required", "refund of",
	"discount applied", "partial shipment", "carrier delayed", "do not stack", "reference", "weight in grams", "invoice number",
	"waiting for payment", "manual review", "customs cleared", "pallet", "region", "priority", "see order", "replaced by order",
	"contact by mail only", "shipped", "opened and checked", "stock moved from bay", "to bay", "counted twice",
}

// notePhrases of one note; every second is followed by a number.
const notePhrases = 14

// note is the expression of one, in the engine's own words.
func note(concat, phrase, number string) string {
	var parts []string
	for i := range notePhrases {
		parts = append(parts, phrase)
		if i%2 == 1 {
			parts = append(parts, number)
		}
	}
	return concat + strings.Join(parts, ", ") + ")"
}
