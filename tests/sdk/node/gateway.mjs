// The gateway under test, the words that tell the simulator behind it what to do, and a test for every provider.

import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

export const BASE_URL = process.env.FERROGATE_BASE_URL
export const KEY = 'sdk-secret'

// One model for each dialect that providers speak: see gateway.toml.
export const PROVIDERS = ['via-chat', 'via-responses', 'via-messages', 'via-gemini']

export const ANSWER = 'You said this: hello'
export const SUMMARY = 'The tools answered: hello'
export const ARGUMENTS = { weather: { place: 'hello', days: 7 }, clock: { place: 'hello' } }

export const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='
export const PNG_HEARD = 'image/png 70 bytes'

export function throughEachProvider(name, run) {
  for (const model of PROVIDERS) test(`${name} (${model})`, () => run(model))
}

export function prompt(directive = '', words = 'hello') {
  return directive ? `sim: ${directive}\n${words}` : words
}

// A directive that fails so many `times` counts them by its text, so every test needs its own.
export function unique() {
  return `tag=${randomUUID()}`
}

// The request's log, from the admin API. The database is a batch behind the answer, so it is asked again.
export async function logOf(requestId) {
  for (let tries = 0; tries < 400; tries += 1) {
    const answer = await fetch(`${BASE_URL}/admin/v1/request-logs/${requestId}`, {
      headers: { authorization: `Bearer ${KEY}` },
    })
    if (answer.ok) return answer.json()
    await answer.body?.cancel()
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`there is no log of ${requestId} after ten seconds`)
}
