/**
 * fetch for a reader of the feed that is to come back at once: each `retry:`, which begins a stream,
 * becomes one of 20 ms. All else is passed on as it is.
 */
export async function quickFetch(
  input: string | URL | Request,
  init?: RequestInit,
): Promise<Response> {
  const response = await fetch(input, init)
  const { status, headers, body } = response
  if (body === null) return response
  let isFirst = true
  const shorten = new TransformStream<string, string>({
    transform(text, controller) {
      controller.enqueue(isFirst ? text.replace(/^retry: \d+$/m, 'retry: 20') : text)
      isFirst = false
    },
  })
  const shortened = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(shorten)
    .pipeThrough(new TextEncoderStream())
  return new Response(shortened, { status, headers })
}
