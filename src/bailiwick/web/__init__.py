"""Pages: what services/signin and services/console stand on.

    paths      which requests are for pages, told by the path alone; all that a server imports before the first one
    site       the life of a request for a page: find it, know who asks, refuse what is forged, answer
    visit      what a page is given: the request, the sessions of the browser, `call` to act, `page` to answer
    sessions   signed-in people, kept in the database: made, found, listed, ended
    pages      a room's own list of pages
    cookies    reading and writing them
    guard      the headers of every answer, tokens against forged forms, addresses that lead nowhere else

A page acts through pipeline.invoke with the Caller of its session. It is not given the store.
"""
